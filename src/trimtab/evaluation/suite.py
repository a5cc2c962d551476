"""Cases and suites: fixed questions with the answers that count as right."""

import hashlib
from functools import cached_property
from typing import Literal

import msgspec

from trimtab.core.errors import ConfigurationError

Role = Literal["system", "user", "assistant"]


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One turn of the conversation that a case puts to a model."""

    role: Role
    content: str


def user_prompt(text: str) -> tuple[Message, ...]:
    """Return the conversation that consists of this one question."""
    return (Message(role="user", content=text),)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One question with the answer that is expected."""

    case_id: str
    """Unique in its suite; runs are paired by it."""
    messages: tuple[Message, ...]
    """What the model is asked, at least one turn."""
    expected: str
    """The right answer, as the scorer reads it."""
    stratum: str
    """Group that is judged on its own, such as ``routine`` or ``reasoning``. No average hides it."""
    task_type: str = "unknown"
    """As the classifier names it, such as ``extraction``."""
    tags: tuple[str, ...] = ()


class Suite(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A named set of cases. Two suites with the same digest ask the same.

    Raises:
        ConfigurationError: there is no case, two share an id, or one lacks an id, a stratum or a message.
    """

    name: str
    version: str
    cases: tuple[Case, ...]

    def __post_init__(self) -> None:
        if not self.cases:
            raise ConfigurationError(f"Suite {self.name!r} has no case.", hint="Add at least one.")
        seen: set[str] = set()
        for case in self.cases:
            problem = problem_of(case, seen)
            if problem:
                raise ConfigurationError(f"Suite {self.name!r}: {problem}.", hint="Correct the case.")
            seen.add(case.case_id)

    @cached_property
    def digest(self) -> str:
        """Sha256 of the cases in the order of their ids, 64 hexadecimal digits.

        Name and version are labels: a suite that was renamed, or lists its cases in another order, asks the same.
        """
        ordered = sorted(self.cases, key=lambda case: case.case_id)
        return hashlib.sha256(msgspec.json.encode(ordered, order="deterministic")).hexdigest()

    @property
    def strata(self) -> tuple[str, ...]:
        """The groups that its cases fall into, by name."""
        return tuple(sorted({case.stratum for case in self.cases}))


def problem_of(case: Case, seen: set[str]) -> str | None:
    """Return what is wrong with a case that follows those whose ids were seen, or ``None``."""
    if not case.case_id.strip():
        return "a case has no case_id"
    if case.case_id in seen:
        return f"case_id {case.case_id!r} is used twice"
    if not case.stratum.strip():
        return f"case {case.case_id!r} has no stratum"
    if not case.messages:
        return f"case {case.case_id!r} asks nothing"
    return None
