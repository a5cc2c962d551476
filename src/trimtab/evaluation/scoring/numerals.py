"""Numbers as people and models write them: signs, separators, currencies, powers of ten."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Literal, NamedTuple

Point = Literal[".", ","]
_MINUS = {ord(sign): "-" for sign in "\u2212\u2013\ufe63\uff0d"}
_CURRENCY = r"(?:[$\u20ac\u00a3\u00a5\u20b9\u20a9]|(?:US|A|C)\$|USD|EUR|GBP|CHF|JPY)"
_POWER = r"(?:[eE][+-]?[0-9]{1,3}(?![0-9])|[ \u00a0]?[x\u00d7*][ \u00a0]?10\^\{?[+-]?[0-9]{1,3}\}?)"


class Numeral(NamedTuple):
    """A number found in a text."""

    value: Decimal
    is_percent: bool


def _form(point: Point) -> re.Pattern[str]:
    group = "," if point == "." else r"\."
    grouped = rf"[0-9]{{1,3}}(?:[{group}][0-9]{{2,3}})*[{group}][0-9]{{3}}"
    spaced = "[0-9]{1,3}(?:[\u00a0\u2009\u202f'\u2019_][0-9]{3})+"
    whole = rf"(?:(?:{grouped}|{spaced})(?![0-9])|[0-9]{{1,400}})"
    return re.compile(
        rf"(?<![\w.,])(?P<minus>-[ ]?)?(?:{_CURRENCY}[ \u00a0]?)?(?P<inner>[+-])?"
        rf"(?P<digits>{whole}(?:[{point}][0-9]{{1,400}})?|[{point}][0-9]{{1,400}})"
        rf"(?P<power>{_POWER})?(?P<percent>[ \u00a0]?(?:%|percent\b|per cent\b))?"
    )


_FORMS: dict[Point, re.Pattern[str]] = {".": _form("."), ",": _form(",")}
_UNIT = re.compile(rf"\s*(?:{_CURRENCY}|[^\W\d_]{{1,12}})?[.!]?\s*")


def numerals(text: str, point: Point) -> Iterator[Numeral]:
    r"""Yield the numbers of a text from left to right.

    Args:
        text: Anything. Digits within a word, as in H2O, are no number.
        point: What stands before the decimals; the other one separates thousands, as do narrow spaces and ``'``.

    >>> [str(found.value) for found in numerals("-$1,234.50, then 12 %; 3\u00d710^2 of H2O", ".")]
    ['-1234.50', '12', '3E+2']
    """
    for match in _FORMS[point].finditer(text.translate(_MINUS)):
        yield _read(match, point)


def whole_numeral(text: str, point: Point) -> Numeral | None:
    """Return the number that a text is, with no more around it than a currency or a unit of one word.

    >>> whole_numeral("12 kg.", "."), whole_numeral("12 or 13", ".")
    (Numeral(value=Decimal('12'), is_percent=False), None)
    """
    bare = text.strip().strip("\"'`*_").strip().translate(_MINUS)
    match = _FORMS[point].match(bare)
    return _read(match, point) if match and _UNIT.fullmatch(bare, match.end()) else None


def _read(match: re.Match[str], point: Point) -> Numeral:
    digits = "".join(character for character in match["digits"] if character.isdigit() or character == point)
    sign = "-" if (match["minus"] is None) is not (match["inner"] != "-") else ""
    power = re.sub(r"[^0-9+-]", "", re.sub(r"10\^", "", match["power"] or ""))
    value = Decimal(f"{sign}{digits.replace(',', '.')}E{power or 0}")
    return Numeral(value, match["percent"] is not None)
