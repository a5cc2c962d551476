"""What every import of a suite is told, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from trimtab.core import to_us
from trimtab.evaluation import Plan, Run, ScorerSpec, SuiteReading
from trimtab.ingest.rows import UNDATED_AT


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteOptions:
    """What the person importing says where the file does not."""

    name: str
    version: str = "1"
    plan: Plan = field(default_factory=Plan)
    """Its scorer is replaced where none was asked for and the file knows better."""
    scorer: ScorerSpec | None = None
    """Asked for; ``None`` leaves it to the import."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Field of a case to column or metadata key."""
    stratum: str | None = None
    """Of cases for which the file names none."""
    provider: str | None = None
    """First half of ``provider:model`` where the file has none."""
    at_us: int = to_us(UNDATED_AT)
    """The instant of runs that carry none."""


class ImportedSuite(msgspec.Struct, frozen=True, kw_only=True):
    """A suite that came from elsewhere."""

    reading: SuiteReading
    runs: tuple[Run, ...] = ()
    """What models once answered, where the file has that; one a model, over exactly the suite's cases."""
    left_out: Mapping[str, int] = {}
    """How many well-formed rows make no case here, by the reason."""
    notes: tuple[str, ...] = ()
    """What a person should know about how the file was read."""
