"""Single steps without a story, as a school would practise them before any problem in words: for training only."""

import datetime as dt
import random
from collections.abc import Callable
from typing import NamedTuple

from trimtab.lab.office.edge_cases import packed, words_of
from trimtab.lab.office.vocabulary import SUPPLIERS, clock, some_date


class Exercise(NamedTuple):
    """One step, and the same with its result."""

    prompt: str
    answer: str


def exercises(n: int, *, seed: int) -> list[Exercise]:
    """Draw exercises in arithmetic, on dates, times and number words; the same seed gives the same ones."""
    dice = random.Random(f"exercises:{seed}")
    return [dice.choice(_KINDS)(dice) for _ in range(n)]


def _times(dice: random.Random) -> Exercise:
    number, price = dice.choice(
        ((dice.randint(2, 6), dice.randint(2, 9)), (dice.randint(2, 9), dice.randrange(20, 101, 20)))
    )
    return _solved(f"{number} x {price}", str(number * price))


def _lines(dice: random.Random) -> Exercise:
    first, second = (dice.randint(2, 6) * dice.randint(2, 9) for _ in range(2))
    return _solved(f"{first} + {second}", str(first + second))


def _shipping(dice: random.Random) -> Exercise:
    goods, shipping = dice.randint(2, 6) * dice.randint(5, 9), dice.randrange(5, 25, 5)
    return _solved(f"{goods} + {shipping}", str(goods + shipping))


def _delivered(dice: random.Random) -> Exercise:
    left, delivered = dice.randint(1, 109), dice.randrange(10, 51, 10)
    return _solved(f"{left} + {delivered}", str(left + delivered))


def _sold(dice: random.Random) -> Exercise:
    start, sold = dice.randrange(40, 121, 10), dice.randint(11, 39)
    return _solved(f"{start} - {sold}", str(start - sold))


def _cheaper(dice: random.Random) -> Exercise:
    names, totals = dice.sample(SUPPLIERS, 2), dice.sample(range(15, 75), 2)
    offers = "; ".join(f"{name} {total}" for name, total in zip(names, totals, strict=True))
    return Exercise(offers, f"{offers}; {names[totals.index(min(totals))]}")


def _percent(dice: random.Random) -> Exercise:
    full, percent = dice.randint(2, 9) * dice.randrange(20, 101, 20), dice.choice((5, 10, 15, 20, 25, 50))
    return _solved(f"{percent} % of {full}", str(full * percent // 100))


def _less_percent(dice: random.Random) -> Exercise:
    full, percent = dice.randint(2, 9) * dice.randrange(20, 101, 20), dice.choice((5, 10, 15, 20, 25, 50))
    less = full * percent // 100
    return _solved(f"{full} - {less}", str(full - less))


def _later(dice: random.Random) -> Exercise:
    day, n_days = some_date(dice), dice.choice((7, 14, 30))
    return _solved(f"{day} + {n_days}", str(day + dt.timedelta(days=n_days)))


def _between(dice: random.Random) -> Exercise:
    begin, minutes = dice.randrange(6 * 60, 11 * 60, 15), dice.randrange(4 * 60, 10 * 60, 15)
    return _solved(f"{clock(begin)} to {clock(begin + minutes)}", clock(minutes))


def _shorter(dice: random.Random) -> Exercise:
    minutes, pause = dice.randrange(4 * 60, 10 * 60, 15), 15 * dice.randint(1, 3)
    return _solved(f"{clock(minutes)} - {clock(pause)}", clock(minutes - pause))


def _in_digits(dice: random.Random) -> Exercise:
    number, words = packed(dice) if dice.random() < 0.5 else (drawn := dice.randint(13, 999), words_of(drawn))
    return Exercise(words, str(number))


def _solved(question: str, result: str) -> Exercise:
    return Exercise(question, f"{question} = {result}")


_KINDS: tuple[Callable[[random.Random], Exercise], ...] = (
    _times,
    _lines,
    _lines,
    _shipping,
    _delivered,
    _sold,
    _cheaper,
    _percent,
    _less_percent,
    _later,
    _between,
    _shorter,
    _in_digits,
)
