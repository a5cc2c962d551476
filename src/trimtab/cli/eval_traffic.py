"""``--traffic``: how the real traffic falls into a suite's strata, given or counted in the journal."""

import math
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.core.errors import ConfigurationError

if TYPE_CHECKING:
    from trimtab.core import CallRecord

TrafficOption = Annotated[
    str | None,
    typer.Option(
        "--traffic",
        metavar="SHARES|journal:KEY",
        help="Real traffic by stratum, such as routine=90,hard=10, or counted in the journal by `workload`, `class` or "
        "`task_type`: journal:class. Left out: the shares of the suite's plan.",
    ),
]
_JOURNAL = "journal:"
_KEYS = ("workload", "class", "task_type")


def read_traffic(context: typer.Context, text: str | None) -> dict[str, float] | None:
    """Return calls by stratum; ``None`` when nothing was said.

    Raises:
        ConfigurationError: the text cannot be read, or the journal has no call.
    """
    if text is None:
        return None
    if text.startswith(_JOURNAL):
        return _counted(context, text.removeprefix(_JOURNAL))
    found: dict[str, float] = {}
    for part in text.split(","):
        stratum, _, share = part.rpartition("=")
        try:
            found[stratum.strip()] = float(share)
        except ValueError:
            found[""] = math.nan
    if "" in found or not all(math.isfinite(share) for share in found.values()):
        raise ConfigurationError(
            f"--traffic {text!r} cannot be read.", hint="Write stratum=share pairs, such as routine=90,hard=10."
        )
    return found


def _counted(context: typer.Context, key: str) -> dict[str, float]:
    if key not in _KEYS:
        raise ConfigurationError(
            f"--traffic {_JOURNAL}{key} counts by nothing that calls have.", hint=f"Keys: {', '.join(_KEYS)}."
        )
    from trimtab.store import CallFilter, CallReader

    counts: Counter[str] = Counter()
    progress = output.Progress()
    database = invocation_of(context).open_database()
    try:
        for n, entry in enumerate(CallReader(database).stream(CallFilter(), bodies=False), start=1):
            counts[_value(entry.call, key)] += 1
            progress.update(f"{n:,} calls counted")
    finally:
        progress.clear()
        database.close()
    if not counts:
        raise ConfigurationError(
            "The journal has no call, so traffic cannot be measured.", hint="`trimtab calls import FILE` reads a log."
        )
    return {stratum: float(n) for stratum, n in counts.items()}


def _value(call: "CallRecord", key: str) -> str:
    match key:
        case "workload":
            return call.workload
        case "class":
            return call.workload_class
        case _:
            return call.task_type
