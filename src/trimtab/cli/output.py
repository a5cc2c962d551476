"""How commands speak: tables or JSON to stdout, everything else to stderr.

Figures come from ``trimtab.control.numbers``, which the pages use too.
"""

import re
import sys
import time
from collections.abc import Iterable, Sequence

import msgspec

Cell = str | int | None

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_WIDE = 240
"""Columns assumed when stdout is no terminal: a pipe has no width, so nothing is cut."""


def print_json(value: object) -> None:
    """Write one JSON document to stdout."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    sys.stdout.write(text + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, title: str | None = None) -> None:
    """Write a table to stdout. Columns of which every cell is a number go to the right.

    Args:
        columns: Headings; one that begins with ``>`` is a column of numbers.
        rows: Cells; ``None`` shows as a dash.
        title: A line above.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    for column in columns:
        is_number = column.startswith(">")
        table.add_column(column.removeprefix(">"), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        # Text, not str: names come from callers and files, and must not be read as markup.
        table.add_row(*(Text(shown(cell)) for cell in row))
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDE, highlight=False).print(table)


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


def shown(cell: Cell) -> str:
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
