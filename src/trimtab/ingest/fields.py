"""Typed reading of one row whose values are text, numbers or nested JSON, depending on the file it came from."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, DecimalException

import msgspec

from trimtab.core import Sensitivity, parse_sensitivity, to_nano_usd, to_us

Value = object
"""One cell: ``str``, ``int``, ``Decimal``, ``float``, ``bool``, ``datetime``, ``list``, ``dict`` or ``None``."""

EXACT_JSON = msgspec.json.Decoder(float_hook=Decimal)
"""Reads fractions as ``Decimal`` from their digits, so that an amount of money is never a binary float."""

_ABSENT = frozenset({"", "null", "none", "nan"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_MAX_NAME = 256
_MAX_COUNT = 2**31 - 1
_MAX_USD = Decimal(9_000_000)
_EARLIEST_US, _LATEST_US = 0, 4_102_444_800_000_000


class FieldError(ValueError):
    """A field that cannot be what it should be; the message names the field and quotes at most a short value."""


class Fields:
    """One row, read by column name. Where several names are given, the first that holds something is used."""

    __slots__ = ("row",)

    def __init__(self, row: Mapping[str, Value]) -> None:
        self.row = row

    def find(self, *names: str) -> tuple[str, Value]:
        """Return the first name with a value, and the value; ``(names[0], None)`` when all are empty."""
        for name in names:
            value = self.row.get(name)
            if value is None or (isinstance(value, str) and value.strip().lower() in _ABSENT):
                continue
            if isinstance(value, float) and math.isnan(value):
                continue
            return name, value
        return names[0], None

    def text(self, *names: str) -> str | None:
        """Return text of any length."""
        name, value = self.find(*names)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return str(value)
        raise FieldError(f"{name} is a {type(value).__name__}, not text")

    def name(self, *names: str) -> str | None:
        """Return text that can be a name: one line of at most 256 characters, no control characters."""
        name, _ = self.find(*names)
        text = self.text(*names)
        if text is None:
            return None
        text = text.strip()
        if len(text) > _MAX_NAME:
            raise FieldError(f"{name} has {len(text)} characters; a name has at most {_MAX_NAME}")
        if _CONTROL.search(text):
            raise FieldError(f"{name} holds a control character")
        return text

    def required_name(self, *names: str) -> str:
        """Return a name that must be there."""
        text = self.name(*names)
        if text is None:
            raise FieldError(f"{' or '.join(names)} is missing")
        return text

    def number(self, *names: str) -> Decimal | None:
        """Return a finite number, exactly as its digits say."""
        name, value = self.find(*names)
        if value is None:
            return None
        try:
            if isinstance(value, bool):
                raise ValueError
            # A float (from Parquet) is read by its shortest digits, which are what its writer meant.
            number = Decimal(repr(value)) if isinstance(value, float) else Decimal(str(value).strip())
        except (DecimalException, ValueError):
            raise FieldError(f"{name} is {_shown(value)}, not a number") from None
        if not number.is_finite():
            raise FieldError(f"{name} is {_shown(value)}, not a finite number")
        return number

    def count(self, *names: str) -> int | None:
        """Return a number of things, 0 or more."""
        name, value = self.find(*names)
        if type(value) is int and 0 <= value <= _MAX_COUNT:
            return value
        number = self.number(*names)
        if number is None:
            return None
        if not 0 <= number <= _MAX_COUNT or number != number.to_integral_value():
            raise FieldError(f"{name} is {_shown(value)}, not a whole number from 0 to 2^31 - 1")
        return int(number)

    def nano_usd(self, *names: str) -> int | None:
        """Return an amount of US dollars as whole nano-dollars."""
        name, value = self.find(*names)
        amount = self.number(*names)
        if amount is None:
            return None
        if not 0 <= amount <= _MAX_USD:
            raise FieldError(f"{name} is {_shown(value)}; a call costs from 0 to 9 million US dollars")
        return to_nano_usd(amount)

    def fraction(self, *names: str) -> float | None:
        """Return a share of 1; yes and no count as 1 and 0."""
        name, value = self.find(*names)
        text = str(value).strip().lower()
        if text in ("true", "false"):
            return float(text == "true")
        number = self.number(*names)
        if number is not None and not 0 <= number <= 1:
            raise FieldError(f"{name} is {_shown(value)}, not between 0 and 1")
        return None if number is None else float(number)

    def duration(self, *names: str, unit_ms: int = 1) -> float | None:
        """Return milliseconds; ``unit_ms`` is 1000 for a column in seconds."""
        name, value = self.find(*names)
        number = self.number(*names)
        if number is not None and not 0 <= number <= 10**9:
            raise FieldError(f"{name} is {_shown(value)}, not a duration")
        return None if number is None else float(number * unit_ms)

    def instant(self, *names: str) -> int | None:
        """Return Unix microseconds from ISO 8601 text, a datetime or a Unix number; without a zone it is UTC."""
        name, value = self.find(*names)
        if value is None:
            return None
        try:
            at_us = _instant_us(value)
        except (ValueError, OverflowError, DecimalException):
            raise FieldError(f"{name} is {_shown(value)}, not a date and time") from None
        if not _EARLIEST_US <= at_us <= _LATEST_US:
            raise FieldError(f"{name} is {_shown(value)}, outside the years 1970 to 2100")
        return at_us

    def sensitivity(self, *names: str) -> Sensitivity | None:
        """Return the level that a label names."""
        label = self.name(*names)
        if label is None:
            return None
        try:
            return parse_sensitivity(label)
        except ValueError as exc:
            raise FieldError(str(exc)) from exc

    def flag(self, *names: str) -> bool:
        """Return whether a column says yes; absent is no."""
        _, value = self.find(*names)
        return str(value).strip().lower() in ("true", "t", "1", "yes")

    def json(self, *names: str) -> Value:
        """Return nested JSON, whether it came nested or as text; text that is not JSON stays text."""
        _, value = self.find(*names)
        if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
            try:
                return EXACT_JSON.decode(value)
            except (msgspec.DecodeError, RecursionError):
                return value
        return value

    def nested(self, *names: str) -> "Fields":
        """Return the object in a column; no fields when there is none."""
        value = self.json(*names)
        return Fields(value) if isinstance(value, dict) else Fields({})


def _instant_us(value: Value) -> int:
    if isinstance(value, datetime):
        return to_us(value if value.tzinfo is not None else value.replace(tzinfo=UTC))
    if isinstance(value, date):
        return to_us(datetime(value.year, value.month, value.day, tzinfo=UTC))
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError
    text = repr(value) if isinstance(value, float) else str(value).strip()
    try:
        number = Decimal(text)
    except DecimalException:
        return _instant_us(datetime.fromisoformat(text))
    if not number.is_finite():
        raise ValueError
    # Seconds until the year 5138, then milliseconds, then microseconds: no two readings of a number are plausible.
    for scale in (1_000_000, 1000, 1):
        if number * scale < 10**17:
            return int(number * scale)
    raise ValueError


def _shown(value: Value) -> str:
    text = str(value)
    return repr(text) if len(text) <= 32 else f"a text of {len(text)} characters"
