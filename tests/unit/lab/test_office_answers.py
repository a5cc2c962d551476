"""Every answer follows from its prompt: worked out again from the prompt's text, in another way than it was made."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import get_args

from trimtab.lab.office import OfficeCase, Split, Stratum, exercises, office_cases


def _cases(task: str, stratum: Stratum, n: int = 3_000) -> Iterator[OfficeCase]:
    return (
        case
        for split in get_args(Split)
        for case in office_cases(split, n, seed=5, strata=(stratum,))
        if case.task == task
    )


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def _text(case: OfficeCase) -> str:
    """Return the prompt below its ask, without the order number."""
    return re.sub(r"\b[A-Z]{2}-\d{4}\b", "", case.prompt.partition("\n")[2])


def test_basket_totals_add_up() -> None:
    for case in _cases("basket-total", "reasoning"):
        first, first_price, second, second_price = _numbers(_text(case))
        lines = first * first_price, second * second_price
        steps = f"{first} x {first_price} = {lines[0]}; {second} x {second_price} = {lines[1]}"
        assert case.expected == f"{steps}; {lines[0]} + {lines[1]} = {sum(lines)}"


def test_discounts_are_whole_and_right() -> None:
    for case in _cases("discounted-total", "reasoning"):
        percent = int(re.findall(r"(\d+) %", case.prompt)[0])
        rest = re.sub(r"\d+ %", "", _text(case))
        first, second = _numbers(rest)
        steps = [_numbers(step) for step in case.expected.split(";")]
        full, less, left = (numbers[-1] for numbers in steps)
        assert (full, less * 100, left) == (first * second, full * percent, full - less)


def test_stock_is_what_came_less_what_went() -> None:
    for case in _cases("stock-left", "reasoning"):
        start, sold, delivered = _numbers(_text(case))
        left = start - sold
        assert case.expected == f"{start} - {sold} = {left}; {left} + {delivered} = {left + delivered}"
        assert start > sold


def test_the_best_offer_has_the_lower_total() -> None:
    for case in _cases("best-offer", "reasoning"):
        number = _numbers(case.prompt.partition("\n")[0])[0]
        price, shipping, other_price, other_shipping = _numbers(_text(case))
        totals = number * price + shipping, number * other_price + other_shipping
        assert [_numbers(step)[-1] for step in case.expected.split("; ")[1:4:2]] == list(totals)
        names = re.findall(r"[A-Z][a-z]+", case.expected)
        assert names[2] == names[0 if totals[0] < totals[1] else 1]


def test_worked_time_is_end_less_begin_less_the_break() -> None:
    for case in _cases("worked-time", "reasoning"):
        begin, end = sorted(int(h) * 60 + int(m) for h, m in re.findall(r"(\d+):(\d\d)", _text(case)))
        pause = int(re.findall(r"(?<![:\d])(\d\d) minutes", case.prompt)[0])
        shown = [int(h) * 60 + int(m) for h, m in re.findall(r"(\d+):(\d\d)", case.expected)]
        assert shown == [begin, end, end - begin, end - begin, pause, end - begin - pause]


def test_due_dates_lie_the_named_days_after_a_date_of_the_prompt() -> None:
    for case in _cases("due-date", "reasoning", 600):
        days = int(re.findall(r"(\d+) days", case.prompt)[0])
        day, due = map(dt.date.fromisoformat, re.findall(r"\d{4}-\d\d-\d\d", case.expected))
        assert due - day == dt.timedelta(days=days)
        assert _is_named(day, case.prompt)


def test_plain_and_rare_dates_stand_in_the_prompt() -> None:
    for case in _cases("plain-date", "routine"):
        assert _is_named(dt.date.fromisoformat(case.expected), case.prompt)
    for case in _cases("rare-date", "edge"):
        day = dt.date.fromisoformat(case.expected)
        assert str(day.day) in case.prompt


def test_order_fields_are_what_the_prompt_says() -> None:
    for case in _cases("order-fields", "routine"):
        fields = dict(part.split(": ") for part in case.expected.split("; "))
        assert list(fields) == ["name", "order", "city"]
        assert all(value in case.prompt for value in fields.values())


def test_a_conflict_is_named_exactly_where_the_papers_differ() -> None:
    for case in _cases("contradiction", "edge"):
        first, second = _numbers(_text(case))
        assert case.expected == (str(first) if first == second else f"conflict: {first}, {second}")


def test_number_words_mean_their_digits() -> None:
    small = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    ones = {word: number for number, word in enumerate([*small.split(), "seventeen", "eighteen", "nineteen"])}
    tens = {
        word: 10 * number
        for number, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
    }
    packs = {"dozen": 12, "score": 20, "pair": 2, "gross": 144}
    for case in _cases("number-in-words", "edge"):
        total = 0
        for word in re.findall(r"[a-z]+", _text(case)):
            if word in ones | tens:
                total += (ones | tens)[word]
            elif word == "hundred":
                total *= 100
            elif word in packs:
                total *= packs[word]
        assert case.expected == str(total), case.prompt


def test_house_records_follow_their_convention() -> None:
    for case in _cases("complaint-record", "drafting"):
        found = re.fullmatch(r"! (\w+) ([A-Z]{2}-\d{4}) \| (\w+) \| (\w+), (\w+) > ([KLW])", case.expected)
        assert found is not None
        city, order, good, last, first, _ = found.groups()
        assert all(value in case.prompt for value in (city, order, good, f"{first} {last}"))


def _is_named(day: dt.date, prompt: str) -> bool:
    month = f"{day:%B}"
    return any(
        form in prompt
        for form in (
            f"{day.day} {month} {day.year}",
            f"{month} {day.day}, {day.year}",
            f"{day.day} {month[:3]} {day.year}",
            f"{day:%d.%m.%Y}",
        )
    )


def test_exercises_are_right_and_no_case_is_one() -> None:
    drawn = exercises(2_000, seed=1)

    assert drawn == exercises(2_000, seed=1)
    for prompt, answer in drawn:
        if found := re.fullmatch(r"(\d+) ([x+-]) (\d+) = (\d+)", answer):
            first, second, result = int(found[1]), int(found[3]), int(found[4])
            assert result == {"x": first * second, "+": first + second, "-": first - second}[found[2]]
            assert answer.startswith(f"{prompt} = ")
    assert not {prompt for prompt, _ in drawn} & {case.prompt for case in office_cases("test", 2_000, seed=1)}
