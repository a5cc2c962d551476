"""What comes out of a file of calls, line by line, and what is told to every reader."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from trimtab.core import STRICTEST, JournalEntry, Sensitivity, StoreMode, to_us

UNDATED_AT = datetime(1970, 1, 1, tzinfo=UTC)
"""The date of a row without a time, unless one is given: the same on each run, and plainly not a real one."""


class Place(NamedTuple):
    """Where in which file; the line of text, or the row number in Parquet."""

    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """A line that is not a call, and why. The reason names fields and short values, never a prompt."""

    place: Place
    reason: str
    text: str
    """The line as it was, for the file of rejected lines; it may hold content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A well-formed line that records something other than a call to a model, for example a tracing span."""

    place: Place
    reason: str


Row = JournalEntry | BadLine | Skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What the person importing says where the file does not. A value in the file wins over these."""

    at_us: int = to_us(UNDATED_AT)
    """The instant given to rows without a time."""
    sensitivity: Sensitivity = STRICTEST
    """Logs seldom carry a label; without one the strictest level holds, as it does for a live call."""
    provider: str | None = None
    """First half of ``provider:model`` where the file names none."""
    app: str = "default"
    workload: str | None = None
    """Given to every row, whatever the file says; ``None`` keeps the file's own."""
    store: StoreMode = StoreMode.METADATA
    """Whether prompts and answers are kept. A log is somebody's text, so keeping it is asked for, not assumed."""
