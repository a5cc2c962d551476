"""Domain drafting: records in the office's own convention, which no base model has seen.

The convention, for a visit: ``@ CITY DDMM | COUNTx GOODS | LAST, FIRST > CODE``, where DDMM is day and month, the year
is left out, and CODE stands for what happens next: S signed, Q quote wanted, C call back, X closed.

For a complaint: ``! CITY ORDER | GOOD | LAST, FIRST > CODE``, where CODE is K broken, L late, W wrong.
"""

import random

from trimtab.lab.office.tasks import Drawn, Task, Wordings, arranged
from trimtab.lab.office.vocabulary import (
    CITIES,
    FIRST_NAMES,
    GOODS,
    LAST_NAMES,
    counted,
    date_in_words,
    order_number,
    some_date,
)

_NEXT = {
    "S": ("signed the contract", "has signed"),
    "Q": ("wants a quote", "asks for a quote"),
    "C": ("wants a call", "asks us to call back"),
    "X": ("does not want more", "has closed the account"),
}
_NAME_PARTS = ("{name}", "customer {name}", "I saw {name}", "call of {name}", "with {name}")
_CITY_PARTS = ("{city}", "in {city}", "from {city}")
_DATE_PARTS = ("{date}", "on {date}", "visit of {date}")
_GOODS_PARTS = ("{goods}", "needs {goods}", "interest in {goods}")
_NEXT_PARTS = ("the customer {next}", "{name} {next}", "who {next}")
_ORDER_PARTS = ("{order}", "order {order}", "about {order}")
_FAULT_PARTS = ("the {good} {fault}", "{name} says that the {good} {fault}", "says the {good} {fault}")
_FAULTS = {
    "K": ("is broken", "came with a crack"),
    "L": ("is late", "has not arrived"),
    "W": ("is the wrong one", "is not what was ordered"),
}


def _visit(dice: random.Random) -> Drawn:
    first, last, city, good = (dice.choice(words) for words in (FIRST_NAMES, LAST_NAMES, CITIES, GOODS))
    day, number, code = some_date(dice), dice.randint(2, 99), dice.choice(sorted(_NEXT))
    slots = {
        "name": f"{first} {last}",
        "city": city,
        "goods": counted(number, good),
        "date": date_in_words(day, dice),
        "next": dice.choice(_NEXT[code]),
    }
    record = f"@ {city} {day:%d%m} | {number}x {good}s | {last}, {first} > {code}"
    return Drawn(slots=slots, expected=record)


def _complaint(dice: random.Random) -> Drawn:
    first, last, city, good = (dice.choice(words) for words in (FIRST_NAMES, LAST_NAMES, CITIES, GOODS))
    order, code = order_number(dice), dice.choice(sorted(_FAULTS))
    slots = {
        "name": f"{first} {last}",
        "city": city,
        "good": good,
        "order": order,
        "fault": dice.choice(_FAULTS[code]),
    }
    record = f"! {city} {order} | {good} | {last}, {first} > {code}"
    return Drawn(slots=slots, expected=record)


DRAFTING_TASKS = (
    Task(
        name="visit-record",
        stratum="drafting",
        task_type="extraction",
        draw=_visit,
        train=Wordings(
            asks=(
                "Extract the house record of the visit.",
                "File the visit: extract our house record.",
                "Please extract the note below as house record.",
                "Extract a record of this visit in our house form.",
            ),
            texts=(
                *arranged((_NAME_PARTS, _CITY_PARTS, _DATE_PARTS, _GOODS_PARTS, _NEXT_PARTS), 60),
                "Visit to {name} in {city} on {date}: {goods}, {next}.",
                "On {date} I saw {name}, {city}. {goods}. The customer {next}.",
                "{name} from {city}, {date}. Interest in {goods}; {next}.",
                "{date}, {city}: {name} ({goods}) {next}.",
                "I was in {city} on {date}. {name} needs {goods} and {next}.",
                "Customer {name}, {goods}, {city}, {date}; {next}.",
            ),
        ),
        test=Wordings(
            asks=(
                "Extract our house record of this visit.",
                "Please file the note: extract the house record.",
            ),
            texts=(
                "I saw {name} in {city} on {date}: {goods}; the customer {next}.",
                "{city}, {date}. {name} needs {goods}, {next}.",
                "Visit on {date}: {name} from {city}, {goods}. {name} {next}.",
            ),
        ),
    ),
    Task(
        name="complaint-record",
        stratum="drafting",
        task_type="extraction",
        draw=_complaint,
        train=Wordings(
            asks=(
                "Extract the house record of the complaint.",
                "File the complaint: extract our house record.",
                "Please extract this complaint as house record.",
                "Extract a record of the complaint in our house form.",
            ),
            texts=(
                *arranged((_NAME_PARTS, _CITY_PARTS, _ORDER_PARTS, _FAULT_PARTS), 60),
                "{name} from {city}: the {good} of order {order} {fault}.",
                "Order {order}, {city}. {name} says the {good} {fault}.",
                "The {good} {fault}, writes {name}, {city}, {order}.",
                "Call from {city}: {name}, order {order}, the {good} {fault}.",
                "{order}: the {good} {fault}. {name}, {city}",
                "Customer {name} ({city}) about {order}: the {good} {fault}.",
            ),
        ),
        test=Wordings(
            asks=(
                "Extract our house record of this complaint.",
                "Please file the complaint: extract the house record.",
            ),
            texts=(
                "{name} says that the {good} {fault}: order {order}, {city}.",
                "Call of {name}, {city}: order {order}, the {good} {fault}.",
                "Order {order} of {name} from {city}: the {good} {fault}.",
            ),
        ),
    ),
)
