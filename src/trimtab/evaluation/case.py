"""Cases: one question with the answer that counts as right, and how an answer is graded."""

from collections.abc import Mapping
from typing import Literal, Union

import msgspec

Role = Literal["system", "user", "assistant"]
Option = str | int | float | bool | None | tuple[str, ...]
ScorerOption = str | int | float | bool | None | tuple[Union[str, float, "ScorerSpec"], ...]
"""A plain value, or several texts, numbers or scorers."""
_CLUSTER = "cluster:"


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One turn of the conversation that a case puts to a model."""

    role: Role
    content: str


def user_prompt(text: str) -> tuple[Message, ...]:
    """Return the conversation that consists of this one question."""
    return (Message(role="user", content=text),)


class ScorerSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A scorer by name, with its options, as suites and runs write it down."""

    name: str
    options: Mapping[str, ScorerOption] = {}


class Case(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One question with the answer that is expected."""

    case_id: str
    """Unique in its suite; runs are paired by it."""
    messages: tuple[Message, ...]
    """What the model is asked, at least one turn."""
    expected: str
    """The right answer, as the scorer reads it."""
    stratum: str
    """Group that is judged on its own, such as ``routine`` or ``reasoning``. No average hides it."""
    context: str = ""
    """What the answer must rest on, for scorers; a model sees only ``messages``."""
    scorer: ScorerSpec | None = None
    """Grades this case; ``None`` for the suite's scorer."""
    task_type: str = "unknown"
    """As the classifier names it, such as ``extraction``."""
    tags: tuple[str, ...] = ()
    """Labels; one ``cluster:NAME`` says which cases are about the same thing, such as one document."""

    @property
    def cluster(self) -> str | None:
        """The group that it stands or falls with; ``None`` when it stands alone."""
        return next((tag.removeprefix(_CLUSTER) for tag in self.tags if tag.startswith(_CLUSTER)), None)
