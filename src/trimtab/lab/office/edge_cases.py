"""Edge cases: rare ways to write a value, corrections, and documents that contradict each other."""

import random

from trimtab.lab.office.tasks import Drawn, Task, Wordings
from trimtab.lab.office.vocabulary import CURRENCIES, GOODS, counted, full_name, order_number, some_date

_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
_ONES = (
    "", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_PACKS = {"dozen": 12, "score": 20, "pair of": 2, "gross of": 144}


def _rare_date(dice: random.Random) -> Drawn:
    day = some_date(dice)
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10 if day.day not in (11, 12, 13) else 0, "th")
    shown = dice.choice(
        (
            f"{day.day}. {_ROMAN[day.month - 1]}. {day.year}",
            f"{day.year % 100:02d}{day.month:02d}{day.day:02d}",
            f"{day.day}{ending} of {day:%B} '{day.year % 100:02d}",
            f"the {day.day}{ending} day of month {day.month}, {day.year}",
        )
    )
    return Drawn(slots={"date": shown, **_people(dice)}, expected=day.isoformat())


def _rare_amount(dice: random.Random) -> Drawn:
    units, cents, currency = dice.randrange(10, 10_000), dice.randrange(0, 100), dice.choice(CURRENCIES)
    shown = dice.choice(
        (
            f"{grouped(units, '.')},{cents:02d} {currency}",
            f"{currency} {grouped(units, chr(39))}.{cents:02d}",
            f"{units} {currency} and {cents} cents",
        )
    )
    return Drawn(slots={"amount": shown, **_people(dice)}, expected=f"{currency} {units}.{cents:02d}")


def grouped(units: int, mark: str) -> str:
    """Return a number below a million with a mark before its last three digits.

    >>> grouped(1250, "."), grouped(50, ".")
    ('1.250', '50')
    """
    return f"{units:,}".replace(",", mark)


def _number_in_words(dice: random.Random) -> Drawn:
    if dice.random() < 0.5:
        number, shown = packed(dice)
    else:
        number = dice.randint(13, 999)
        shown = words_of(number)
    return Drawn(slots={"number": shown, "goods": dice.choice(GOODS) + "s", **_people(dice)}, expected=str(number))


def packed(dice: random.Random) -> tuple[int, str]:
    """Return a number and how it is said in dozens and the like."""
    pack, times = dice.choice(sorted(_PACKS)), dice.randint(2, 19)
    return times * _PACKS[pack], f"{_ONES[times]} {pack}"


def words_of(number: int) -> str:
    """Return a number below 1,000 in English words.

    >>> words_of(13), words_of(342), words_of(600)
    ('thirteen', 'three hundred and forty-two', 'six hundred')
    """
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    small = _ONES[rest] if rest < 20 else "-".join(filter(None, (_TENS[tens], _ONES[ones])))
    return " and ".join(filter(None, (f"{_ONES[hundreds]} hundred" if hundreds else "", small)))


def _correction(dice: random.Random) -> Drawn:
    first, second = dice.sample(range(2, 100), 2)
    good = dice.choice(GOODS)
    slots = {"wrong": counted(first, good), "right": str(second), "good": good}
    return Drawn(slots={**slots, **_people(dice)}, expected=counted(second, good))


def _contradiction(dice: random.Random) -> Drawn:
    first = dice.randint(11, 99)
    second = first if dice.random() < 0.5 else dice.choice([number for number in range(11, 100) if number != first])
    slots = {"first": str(first), "second": str(second), "goods": dice.choice(GOODS) + "s"}
    expected = str(first) if first == second else f"conflict: {first}, {second}"
    return Drawn(slots={**slots, **_people(dice)}, expected=expected)


def _missing(dice: random.Random) -> Drawn:
    number = order_number(dice)
    is_there = dice.random() < 0.5
    shown = f"the order is {number}" if is_there else dice.choice(("I do not have the number", "the label is lost"))
    return Drawn(
        slots={"number": shown, "goods": counted(dice.randint(2, 99), dice.choice(GOODS)), "name": full_name(dice)},
        expected=f"order {number}" if is_there else "not given",
    )


def _people(dice: random.Random) -> dict[str, str]:
    return {"name": full_name(dice), "order": order_number(dice)}


EDGE_TASKS = (
    Task(
        name="rare-date",
        stratum="edge",
        task_type="extraction",
        draw=_rare_date,
        train=Wordings(
            asks=(
                "Extract the unusual date as YYYY-MM-DD.",
                "Extract the date, however it is written, as YYYY-MM-DD.",
                "Please extract the oddly written date: YYYY-MM-DD.",
                "Which date is meant? Extract it as YYYY-MM-DD.",
            ),
            texts=(
                "Stamp on invoice {order}: {date}.",
                "{name} wrote: {date}.",
                "The contract says {date}, order {order}.",
                "Old letter of {name}, {date}.",
                "{date} stands on the label of {order}.",
                "Received {date} by {name}.",
                "The label says {date}, {name}.",
                "Invoice of {name}: {date}.",
                "Letter {order} of {date}.",
            ),
        ),
        test=Wordings(
            asks=(
                "Extract the oddly written date as YYYY-MM-DD.",
                "Please extract the date that is meant, however it is written: YYYY-MM-DD.",
            ),
            texts=(
                "The stamp says {date}, order {order}.",
                "The letter of {name} stands at {date}.",
                "Label of {order}: {date}.",
            ),
        ),
    ),
    Task(
        name="rare-amount",
        stratum="edge",
        task_type="extraction",
        draw=_rare_amount,
        train=Wordings(
            asks=(
                "Extract the foreign amount as currency and plain number.",
                "Extract the amount, however it is written: currency, then number.",
                "Please extract the oddly written price as currency and number.",
                "Which amount is meant? Extract currency and plain number.",
            ),
            texts=(
                "Invoice {order} from abroad: {amount}.",
                "{name} wrote {amount}.",
                "The contract says {amount}, order {order}.",
                "{amount} stands on the label of {order}.",
                "Old letter of {name}: {amount}.",
                "Received {amount} by {name}.",
                "The label says {amount}, {name}.",
                "Invoice of {name}: {amount}.",
                "{name} from abroad received {amount}, order {order}.",
            ),
        ),
        test=Wordings(
            asks=(
                "Extract the oddly written amount: currency, then plain number.",
                "Please extract the amount that is meant as currency and number.",
            ),
            texts=(
                "The letter from abroad says {amount}, order {order}.",
                "Label of {order}: {amount}.",
                "{name} received {amount}.",
            ),
        ),
    ),
    Task(
        name="number-in-words",
        stratum="edge",
        task_type="extraction",
        draw=_number_in_words,
        train=Wordings(
            asks=(
                "Extract the quantity in digits.",
                "Extract how many {goods}, in digits.",
                "Please extract the number of {goods} in digits only.",
                "Which quantity is meant? Extract it in digits.",
            ),
            texts=(
                "{name} ordered {number} {goods}.",
                "Order {order} says {number} {goods}.",
                "Please send {number} {goods} to {name}.",
                "{number} {goods} for {name}",
                "We have {number} {goods} in the warehouse.",
                "Old letter of {name}: {number} {goods}.",
                "{name} has {number} {goods}, order {order}.",
                "Label: {number} {goods}.",
                "The letter of {name} says: we have {number} {goods}.",
            ),
        ),
        test=Wordings(
            asks=(
                "Extract the number of {goods} in digits.",
                "Please extract which quantity is meant, digits only.",
            ),
            texts=(
                "{name} wrote: please send {number} {goods}.",
                "The warehouse has {number} {goods}, order {order}.",
                "Order {order} of {name}: {number} {goods}.",
            ),
        ),
    ),
    Task(
        name="correction",
        stratum="edge",
        task_type="extraction",
        draw=_correction,
        train=Wordings(
            asks=(
                "Extract what the customer wants in the end.",
                "Extract the corrected quantity and the goods.",
                "Please extract the final quantity with the goods.",
                "Extract the goods that are really ordered.",
            ),
            texts=(
                "{name}: {wrong}, no, sorry, {right}.",
                "Please send {wrong}. Correction: make it {right}. Order {order}",
                "{wrong} for {name}. I mean {right}!",
                "Order {order}: {wrong}. Later call: {right} and not more.",
                "I need {wrong}, wait, {right} is enough.",
                "First {name} wanted {wrong}, now {right}.",
                "Order of {name}: {wrong}, sorry, I mean {right}.",
                "{name} needs {wrong}. Wait, make it {right}.",
                "{wrong}, order {order}. Correction: {right}.",
            ),
        ),
        test=Wordings(
            asks=(
                "Extract the goods and quantity that the customer wants in the end.",
                "Please extract the corrected quantity with the goods.",
            ),
            texts=(
                "{name} wanted {wrong}, wait, I mean {right}.",
                "Order {order} for {wrong}, sorry, make it {right}.",
                "I need {wrong}. Correction: {right} is enough. {name}",
            ),
        ),
    ),
    Task(
        name="contradiction",
        stratum="edge",
        task_type="extraction",
        draw=_contradiction,
        train=Wordings(
            asks=(
                "Extract the quantity; if the papers differ, name the conflict.",
                "Extract how many {goods}, or the conflict of both papers.",
                "Please extract the quantity of {goods}, or say conflict.",
                "Do both papers agree? Extract the quantity or the conflict.",
            ),
            texts=(
                "Order {order}: {first} {goods}. Invoice: {second} {goods}.",
                "The order says {first}, the invoice {second}.",
                "{name} ordered {first} {goods} and the label says {second}.",
                "Letter: {first} {goods}; label: {second} {goods}.",
                "Contract {first}, delivered {second} ({goods}).",
                "First paper: {first}. Second paper: {second}. Customer {name}.",
                "The label says {first} {goods}, the order {second} {goods}.",
                "Delivered: {first}. Invoice of {name}: {second}.",
                "Letter of {name}: {first} {goods}, contract {second}.",
            ),
        ),
        test=Wordings(
            asks=(
                "Extract the quantity of {goods}; if both papers differ, say conflict.",
                "Please extract how many {goods}, or name the conflict.",
            ),
            texts=(
                "The contract says {first} {goods}, the label {second}.",
                "Invoice of {name}: {first}. Letter: {second}.",
                "Order {order}: {first} {goods}, delivered {second} {goods}.",
            ),
        ),
    ),
    Task(
        name="missing-number",
        stratum="edge",
        task_type="extraction",
        draw=_missing,
        train=Wordings(
            asks=(
                "Extract the order number, or answer: not given.",
                "Extract the order number if there is one, else say not given.",
                "Please extract the order number or say that it is not given.",
                "Which order? Extract its number, or not given.",
            ),
            texts=(
                "{name} asks about {goods}; {number}.",
                "Hello, {number}. I wait for {goods}. {name}",
                "{goods} for {name}, {number}",
                "Customer {name}: {number}, {goods}.",
                "Where are my {goods}? {name}. PS: {number}.",
                "Call of {name}: {number}.",
                "{name}: where are my {goods}, {number}?",
                "Hello, {name} here. {number}, {goods}.",
                "We have {goods}. Customer: {name}, {number}.",
            ),
        ),
        test=Wordings(
            asks=(
                "Extract the number of the order, or say not given.",
                "Please extract the order number if there is one, else not given.",
            ),
            texts=(
                "{name} waits for {goods}, {number}.",
                "Hello, where are my {goods}? {number}. {name}",
                "Customer: {name}. PS: {number}, {goods}.",
            ),
        ),
    ),
)
