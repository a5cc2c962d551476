"""Which calls a command is about, and the other options that several commands share."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from trimtab.core import SystemClock, to_us
from trimtab.core.errors import ConfigurationError
from trimtab.store import CallFilter

AppOption = Annotated[str | None, typer.Option("--app", metavar="NAME", help="Calls of this app only.")]
SourceOption = Annotated[
    str | None, typer.Option("--source", metavar="NAME", help="Calls from here only: gateway, or import:FORMAT.")
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="WHEN", help="Calls from then on: 2026-01-31, 2026-01-31T12:00, or 90m, 24h, 7d ago."
    ),
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="WHEN", help="Calls before then; same forms.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, metavar="N", help="How many at most.")]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="File to write; standard output when left out.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """The options by which calls are chosen; see ``trimtab.cli.options``."""

    workload: Annotated[
        str | None, typer.Option("--workload", "-w", metavar="NAME", help="Calls of this workload only.")
    ] = None
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="NAME", help="Calls that `provider:model` answered only.")
    ] = None
    status: Annotated[
        Literal["ok", "error", "cancelled", "refused"] | None,
        typer.Option("--status", help="Calls that ended like this only."),
    ] = None
    app: AppOption = None
    source: SourceOption = None
    since: SinceOption = None
    until: UntilOption = None

    def filter(self) -> CallFilter:
        """Return what the options say.

        Raises:
            ConfigurationError: a time cannot be read.
        """
        return CallFilter(
            workload=self.workload,
            model=self.model,
            status=self.status,
            app=self.app,
            source=self.source,
            since_us=instant_us(self.since, "--since"),
            until_us=instant_us(self.until, "--until"),
        )


_AGO = re.compile(r"(\d{1,6})([smhdw])")
_UNIT_US = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}


def instant_us(text: str | None, option: str, now_us: int | None = None) -> int | None:
    """Return the instant that a person wrote, as Unix microseconds; ``None`` when nothing was written.

    Args:
        text: An ISO date or time (UTC where no zone is given), or a span before now such as ``7d``.
        option: Named in the error.
        now_us: What spans count back from; the machine's clock when ``None``.

    Raises:
        ConfigurationError: the text is neither.

    >>> instant_us("1970-01-02", "--since"), instant_us("2h", "--since", now_us=7_200_000_001)
    (86400000000, 1)
    """
    if text is None:
        return None
    span = _AGO.fullmatch(text.strip())
    if span is not None:
        now_us = SystemClock().now_us() if now_us is None else now_us
        return max(0, now_us - int(span[1]) * _UNIT_US[span[2]])
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError as exc:
        raise ConfigurationError(
            f"{option} {text!r} is not a time.", hint="Write 2026-01-31, 2026-01-31T12:00:00Z, or a span such as 7d."
        ) from exc
    return to_us(instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC))
