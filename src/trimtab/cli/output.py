"""How commands speak: tables or JSON to stdout, everything else to stderr.

Figures come from ``trimtab.control.numbers``, which the pages use too.
"""

import re
import shutil
import sys
import textwrap
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from trimtab.cli.table import table_lines


class Usd(NamedTuple):
    """An amount in a column of amounts, which are all written to the same place."""

    nano_usd: int | None
    """``None``: not known."""


Cell = str | int | Usd | None

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def print_json(value: object) -> None:
    """Write one JSON document to stdout."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    sys.stdout.write(text + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table to stdout. Columns of which every cell is a number go to the right.

    Args:
        columns: Headings; one that begins with ``>`` is a column of numbers.
        rows: Cells; ``None`` shows as a dash.
    """
    lines = table_lines(
        [column.removeprefix(">") for column in columns],
        zip(*map(_shown_column, zip(*rows, strict=True)), strict=True),
        is_number=[column.startswith(">") for column in columns],
        width=screen_width(),
    )
    for line in lines:
        sys.stdout.write(line + "\n")


def screen_width() -> int | None:
    """Return the columns of the terminal that stdout is; ``None`` for a file or a pipe, where nothing is cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def print_pair(label: str, text: str, label_width: int) -> None:
    """Write a label and its text to stdout, the text broken between words where the terminal ends."""
    width = screen_width()
    lines = (
        [text]
        if width is None
        else textwrap.wrap(text, max(24, width - label_width - 1), break_long_words=False, break_on_hyphens=False)
    )
    for place, line in enumerate(lines or [""]):
        print_line(f"{label if place == 0 else '':{label_width}} {line}".rstrip())


def print_line(text: str = "") -> None:
    """Write one line of a result to stdout."""
    sys.stdout.write(_CONTROL.sub("\ufffd", text) + "\n")


def note(text: str) -> None:
    """Write one line for the person watching to stderr."""
    sys.stderr.write(_CONTROL.sub("\ufffd", text) + "\n")


class Progress:
    """A line on stderr that is rewritten at most four times a second, and only on a terminal."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._next_at_s = 0.0

    def update(self, text: str) -> None:
        """Show the text in place of the line before."""
        if self._is_shown and time.monotonic() >= self._next_at_s:
            self._next_at_s = time.monotonic() + 0.25
            sys.stderr.write(f"\r\x1b[K{_CONTROL.sub('', text)}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _shown_column(cells: Sequence[Cell]) -> list[str]:
    found = [cell.nano_usd for cell in cells if isinstance(cell, Usd)]
    amounts = iter(_amounts(found) if found else ())
    return [next(amounts) if isinstance(cell, Usd) else shown(cell) for cell in cells]


def _amounts(amounts_nano_usd: Iterable[int | None]) -> list[str]:
    from trimtab.control.numbers import usd_column  # here, or `trimtab --help` would load the whole desk

    return usd_column(amounts_nano_usd)


def shown(cell: str | int | None) -> str:
    """Return a cell's text: a dash for the unknown, thousands marked, control characters made visible."""
    if cell is None:
        return "-"
    return f"{cell:,}" if isinstance(cell, int) else _CONTROL.sub("\ufffd", cell)


def plain(value: object) -> str:
    """Return a recorded value on one line, as it is.

    >>> plain(True), plain(0.5), plain("a")
    ('yes', '0.5', 'a')
    """
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def counted(number: int, noun: str) -> str:
    """Return a number with what is counted.

    >>> counted(1, "call"), counted(1200, "call")
    ('1 call', '1,200 calls')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a time span for people.

    >>> duration(5.4), duration(75), duration(7300)
    ('5 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
