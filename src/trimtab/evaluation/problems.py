"""What is wrong with the lines of a suite, all of it at once, and the error that says so."""

from collections.abc import Sequence

import msgspec

from trimtab.core.errors import ConfigurationError

SHOWN_PROBLEMS = 10
"""Problems that an error spells out; the others are counted."""


class SuiteProblem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line that cannot be used."""

    file: str
    line: int | None
    """Line, or row of a table; ``None`` when it is the suite as a whole."""
    rule: str
    """What it breaks. It names fields and short values, never a prompt."""

    @property
    def place(self) -> str:
        """``file:line``."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


def refusal_of(problems: Sequence[SuiteProblem], hint: str) -> ConfigurationError:
    """Return the error for a suite with problems: the first ones with their places, and how many there are.

    Args:
        problems: At least one.
        hint: What to do about them.
    """
    if len(problems) == 1:
        return ConfigurationError(f"The suite cannot be used: {problems[0].rule} ({problems[0].place}).", hint=hint)
    lines = [f"  {problem.place}: {problem.rule}" for problem in problems[:SHOWN_PROBLEMS]]
    if len(problems) > SHOWN_PROBLEMS:
        lines.append(f"  and {len(problems) - SHOWN_PROBLEMS:,} more")
    return ConfigurationError("\n".join([f"The suite cannot be used: {len(problems):,} problems.", *lines]), hint=hint)
