"""What the generator makes: one small piece of office work with the one answer that is right."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from trimtab.workloads import TaskType

Stratum = Literal["routine", "reasoning", "drafting", "edge"]
Split = Literal["train", "test"]

STRATA: Final[tuple[Stratum, ...]] = get_args(Stratum)
BASE_STRATA: Final[tuple[Stratum, ...]] = ("routine", "reasoning", "edge")
"""What the pool is trained on. Drafting, the in-house convention, is for adapters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficeCase:
    """One prompt with its checkable answer."""

    case_id: str
    """Unique within one draw, and the same for the same split, seed, strata and generator version."""
    prompt: str
    """One user message; there is no system message."""
    expected: str
    stratum: Stratum
    task: str
    """The kind of work, such as ``order-fields``."""
    task_type: TaskType
    """What the gateway's rules should see in the prompt."""
    template_id: str
    """``task/split-ask.text``: no two splits share one."""
    split: Split


def is_right(case: OfficeCase, answer: str) -> bool:
    r"""Return whether an answer is the expected one, apart from case and the amount of white space.

    Example:
        >>> case = OfficeCase(
        ...     case_id="1", prompt="?", expected="EUR 7", stratum="routine", task="amount", task_type="extraction",
        ...     template_id="amount/test-1.1", split="test",
        ... )
        >>> is_right(case, " eur  7\n"), is_right(case, "EUR 7.00")
        (True, False)
    """
    return _plain(answer) == _plain(case.expected)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
