"""Which options of ``trimtab eval suite import`` belong to which source: one that does nothing there is refused."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from trimtab.cli.eval_suite_import_options import FileFlags, JournalFlags, OutcomeFlags, SuiteFlags, SuiteSource
from trimtab.core.errors import ConfigurationError

_OUTCOMES = frozenset(field.name for field in fields(OutcomeFlags))
_JOURNAL = frozenset(field.name for field in fields(JournalFlags))
_RUNS = frozenset({"provider", "at"})
TAKEN: Mapping[SuiteSource, frozenset[str]] = {
    "csv": frozenset({"map_", "stratum"}),
    "inspect": frozenset({"map_", "stratum", "score"}) | _RUNS,
    "outcomes": frozenset({"map_", "stratum"}) | _RUNS | _OUTCOMES,
    "journal": _JOURNAL,
}
"""By source, the options that mean something there, beside those of every suite."""


def refuse_others(
    source: SuiteSource, flags: SuiteFlags, groups: Iterable[FileFlags | OutcomeFlags | JournalFlags]
) -> None:
    """Refuse an option that was given and does nothing with this source.

    Raises:
        ConfigurationError: there is one.
    """
    if source == "journal" and flags.traffic is not None:
        raise ConfigurationError("--from journal measures the traffic itself.", hint="Leave --traffic out.")
    for name in (name for group in groups for name in _given(group)):
        if name not in TAKEN[source]:
            places = " and ".join(f"--from {other}" for other, taken in TAKEN.items() if name in taken)
            raise ConfigurationError(
                f"{_option(name)} does nothing with --from {source}.", hint=f"It belongs to {places}; leave it out."
            )


def _given(group: Any) -> Iterator[str]:  # Any: one of several dataclasses
    """Yield the fields that are not what they are by default."""
    for field in fields(group):
        if getattr(group, field.name) != field.default:
            yield field.name


def _option(name: str) -> str:
    return "--source" if name == "calls_from" else "--" + name.strip("_").replace("_", "-")
