"""Tables as lines of text: aligned, and cut between columns rather than inside a cell where the screen is narrow."""

import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

_GAP = "  "
_INDENT = "    "
_PROSE_WIDTH = 40
"""Cells with more columns than this, and made of words, are sentences: they may be broken between words."""
_LEAST_PROSE = 24


def table_lines(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, is_number: Sequence[bool], width: int | None
) -> Iterator[str]:
    """Yield the lines of a table, the headings first.

    Where it is too wide, sentences are broken between words. Where that is not enough, a row takes several lines, the
    later ones indented, and so do the headings; a line of a row without anything on it is left out.

    Args:
        headings: One a column.
        rows: Cells, as many as headings.
        is_number: Which columns go to the right.
        width: Columns of the screen; ``None`` when there is no limit.

    >>> list(table_lines(["Name", "n"], [["a", "7"], ["long name", "12"]], is_number=[False, True], width=80))
    ['Name        n', 'a           7', 'long name  12']
    """
    cells = [list(row) for row in rows]
    widths = [max(map(shown_width, column)) for column in zip(headings, *cells, strict=True)]
    if width is not None:
        widths = _narrowed(widths, cells, width)
    groups = list(_groups(widths, width))
    for row in [list(headings), *cells]:
        for place, group in enumerate(groups):
            indent = _INDENT if place else ""
            yield from (indent + line for line in _lines(row, group, widths, is_number) if line)


def shown_width(text: str) -> int:
    """Return how many columns a text takes on a screen.

    >>> shown_width("Zoë"), shown_width("模型")
    (3, 4)
    """
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def _narrowed(widths: list[int], cells: Sequence[Sequence[str]], width: int) -> list[int]:
    """Take what is too much from the widest column of sentences."""
    prose = [place for place, column in enumerate(zip(*cells, strict=True)) if any(map(_is_prose, column))]
    if not prose:
        return widths
    widest = max(prose, key=lambda place: widths[place])
    excess = max(0, sum(widths) + len(_GAP) * (len(widths) - 1) - width)
    least = min(_LEAST_PROSE, widths[widest])
    return [max(least, found - excess) if place == widest else found for place, found in enumerate(widths)]


def _is_prose(text: str) -> bool:
    return shown_width(text) > _PROSE_WIDTH and " " in text and 2 * sum(map(str.isalpha, text)) > len(text)


def _groups(widths: Sequence[int], width: int | None) -> Iterator[list[int]]:
    """Yield the columns that share a line."""
    group: list[int] = []
    used = 0
    for place, wanted in enumerate(widths):
        if group and width is not None and used + len(_GAP) + wanted > width:
            yield group
            group, used = [], len(_INDENT) - len(_GAP)
        used += wanted + (len(_GAP) if group or used else 0)
        group.append(place)
    yield group


def _lines(row: Sequence[str], group: Sequence[int], widths: Sequence[int], is_number: Sequence[bool]) -> Iterator[str]:
    wrapped = [_wrapped(row[place], widths[place]) for place in group]
    for parts in zip_longest(*wrapped, fillvalue=""):
        padded = (_padded(part, widths[place], is_number[place]) for part, place in zip(parts, group, strict=True))
        yield _GAP.join(padded).rstrip()


def _wrapped(text: str, width: int) -> list[str]:
    if shown_width(text) <= width:
        return [text]
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _padded(text: str, width: int, is_number: bool) -> str:
    space = " " * (width - shown_width(text))
    return space + text if is_number else text + space
