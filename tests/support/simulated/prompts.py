"""Readable made-up prompts, each with one answer that is right and one that is plausibly wrong."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt of the simulated traffic."""

    system: str
    user: str
    right: str
    wrong: str


PromptMaker = Callable[[int, random.Random], Prompt]
"""Makes the prompt of a number; the number is in its text, so no two prompts are the same."""

_GOODS = ("kettle", "desk lamp", "rain jacket", "bicycle pump", "garden hose", "keyboard", "coffee grinder", "backpack")
_TROUBLES = {
    "billing": ("I was charged twice for my {good}", "the invoice for the {good} shows the wrong VAT"),
    "delivery": ("my {good} still has not arrived", "the courier left the {good} at the wrong door"),
    "defect": ("the {good} stopped working after two days", "the {good} came with a cracked casing"),
    "returns": ("I want to send the {good} back", "how do I get the return label for the {good}"),
}
_MOODS = {
    "low": ("No hurry at all.", "Whenever you find the time."),
    "normal": ("Please let me know this week.", "I would like to hear back soon."),
    "high": ("I need this solved today!", "This is the third time I am writing, I am about to cancel."),
}


def triage_prompt(number: int, dice: random.Random) -> Prompt:
    """Return a ticket to sort by category and urgency."""
    category, urgency = dice.choice(sorted(_TROUBLES)), dice.choice(sorted(_MOODS))
    good = dice.choice(_GOODS)
    text = dice.choice(_TROUBLES[category]).format(good=good)
    other = dice.choice([name for name in sorted(_TROUBLES) if name != category])
    return Prompt(
        system="Sort the support ticket. Answer with JSON: category (billing, delivery, defect, returns) and urgency "
        "(low, normal, high).",
        user=f"Ticket {number}: Hello, {text}. {dice.choice(_MOODS[urgency])} Order {number * 37 + 1009}.",
        right=f'{{"category": "{category}", "urgency": "{urgency}"}}',
        wrong=f'{{"category": "{other}", "urgency": "{urgency}"}}',
    )


_FACTS = {
    "ship to islands": ("Yes, within five working days and for the usual price.", "No, we ship to the mainland only."),
    "gift wrap": ("Yes, choose it in the basket; it costs 3 euros.", "We wrap every parcel as a gift for free."),
    "take back opened boxes": ("Yes, within 30 days, with the receipt.", "No, an opened box cannot be returned."),
    "repair": ("Yes, for two years at no cost; send it to the workshop.", "We do not repair, please buy a new one."),
    "deliver on Saturdays": ("Yes, in cities, when ordered by Thursday noon.", "Yes, everywhere and at any time."),
}
_OPENINGS = ("Quick question", "Hi there", "Good morning", "Just wondering", "Before I order")


def faq_prompt(number: int, dice: random.Random) -> Prompt:
    """Return a customer's question about the shop."""
    topic, good = dice.choice(sorted(_FACTS)), dice.choice(_GOODS)
    right, wrong = _FACTS[topic]
    verb = topic if topic.startswith(("ship", "deliver", "take")) else f"{topic} it"
    return Prompt(
        system="You answer questions of customers of a household goods shop, in one or two friendly sentences.",
        user=f"{dice.choice(_OPENINGS)} (chat {number}): if I buy the {good}, can you {verb}?",
        right=f"Thanks for asking about the {good}! {right}",
        wrong=f"Thanks for asking about the {good}! {wrong}",
    )


_FAULTS = (
    (
        "def mean_{n}(values):\n    total = 0\n    for v in values:\n        total += v\n"
        "    return total / len(values)",
        "An empty list divides by zero; return None or raise a ValueError with a message before the division.",
    ),
    (
        "def find_{n}(rows, key):\n    for i in range(1, len(rows)):\n        if rows[i].key == key:\n"
        "            return i",
        "The loop starts at 1 and never looks at the first row; iterate over the rows themselves.",
    ),
    (
        "def add_{n}(item, basket=[]):\n    basket.append(item)\n    return basket",
        "The default list is shared between calls; use None as default and make a new list inside.",
    ),
    (
        "def read_{n}(path):\n    file = open(path)\n    return file.read().splitlines()",
        "The file is never closed when reading fails; open it in a with block.",
    ),
    (
        "def is_leap_{n}(year):\n    return year % 4 == 0",
        "Century years are leap only when divisible by 400; test year % 100 and year % 400 as well.",
    ),
)


def review_prompt(number: int, dice: random.Random) -> Prompt:
    """Return a short function with one fault."""
    code, finding = dice.choice(_FAULTS)
    return Prompt(
        system="Review the Python function. Name its one real fault and the fix. Do not comment on style.",
        user=f"```python\n{code.replace('{n}', str(number))}\n```",
        right=f"Fault: {finding} Everything else in the function does what its name says, so the change stays local "
        "and the callers need not be touched.",
        wrong="Fault: none that matters. The function is short, readable and does what its name says; at most its "
        "variable names could be longer and a docstring would help the next reader.",
    )


def contract_prompt(number: int, dice: random.Random) -> Prompt:
    """Return a made-up clause with a deadline to work out."""
    notice, term, month = dice.choice((30, 60, 90)), dice.choice((12, 24, 36)), dice.randint(1, 12)
    days_left = dice.randrange(10, 120)
    is_in_time = days_left >= notice
    verdict = "in time" if is_in_time else "too late"
    return Prompt(
        system="Answer the question about the contract clause. Give the reasoning in two sentences, then the result.",
        user=f"Contract {number} (invented). Clause {dice.randint(3, 19)}: the agreement runs for {term} months and "
        f"renews for another {term} months unless one party gives notice at least {notice} days before its end. It "
        f"ends in month {month}; a notice arrived {days_left} days before that end. Does the agreement renew?",
        right=f"The clause asks for at least {notice} days, and the notice came {days_left} days before the end. It "
        f"was therefore {verdict}. Result: the agreement {'ends' if is_in_time else 'renews'}.",
        wrong=f"The clause asks for notice before the end, and a notice was given. Since the term is {term} months, "
        f"the date of the notice changes nothing. Result: the agreement {'renews' if is_in_time else 'ends'}.",
    )
