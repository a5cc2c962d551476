"""A kind of office work: how its values are drawn, and the sentences they are put in."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from trimtab.lab.office.cases import Split, Stratum
from trimtab.workloads import TaskType


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The values of one case and the answer that follows from them."""

    slots: Mapping[str, str]
    """What stands for ``{name}`` in the sentences."""
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wordings:
    """The sentences of one split. A template is one ask with one text."""

    asks: tuple[str, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One kind of work. Its two splits share the values and not one sentence."""

    name: str
    stratum: Stratum
    task_type: TaskType
    draw: Callable[[random.Random], Drawn]
    train: Wordings
    test: Wordings

    def wordings(self, split: Split) -> Wordings:
        """Return the sentences of a split."""
        return self.train if split == "train" else self.test


def arranged(parts: Sequence[Sequence[str]], n: int) -> tuple[str, ...]:
    """Return texts of the same parts in many orders, so that nothing is learned from where a value stands.

    Args:
        parts: Each in several wordings.
        n: How many texts.

    Example:
        >>> arranged([["order {order}"], ["for {name}", "customer {name}"]], 2)
        ('Order {order}, customer {name}.', 'For {name}: order {order}.')
    """
    dice = random.Random(n)
    texts: dict[str, None] = {}
    while len(texts) < n:
        said = [dice.choice(wordings) for wordings in dice.sample(parts, len(parts))]
        text = said[0] + "".join(dice.choice((", ", ", ", "; ", ". ", ": ", " / ")) + part for part in said[1:])
        texts[f"{text[0].upper()}{text[1:]}."] = None
    return tuple(texts)
