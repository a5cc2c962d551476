"""What may be asked of a key, and its amounts in the units that are stored."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from difflib import get_close_matches

import msgspec

from trimtab.control.operators import ADMIN, CONTROL_SCOPES, DATA_SCOPES
from trimtab.core import parse_sensitivity, to_nano_usd
from trimtab.core.errors import InvalidRequest

SCOPES = (*DATA_SCOPES, *CONTROL_SCOPES, ADMIN)
APP_PATTERN = r"[a-z0-9][a-z0-9_.-]{0,63}"
USD_PATTERN = r"\d{1,9}(\.\d{1,9})?"
MAX_RATE = 2**31 - 1
"""Highest limit a minute: what an integer column holds on either database."""
MAX_DAYS = 3650
MAX_NAME = 100

LIMITS = ("calls_per_minute", "tokens_per_minute", "per_day_nano_usd", "per_month_nano_usd")
"""The fields of a stored key that bound what it may use."""

_MODEL_GLOB = re.compile(r"[\x21-\x7e]{1,256}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest:
    """A key to make."""

    name: str
    app: str = "default"
    scopes: tuple[str, ...] = DATA_SCOPES
    models: tuple[str, ...] = ()
    """Globs over ``provider:model``; empty means whatever policy allows."""
    calls_per_minute: int | None = None
    tokens_per_minute: int | None = None
    usd_per_day: str | None = None
    """Dollars as a decimal in text, so that no digit is lost."""
    usd_per_month: str | None = None
    sensitivity: str | None = None
    """Label for calls of this key that carry none."""
    expires_in_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """Limits to change: a field left ``UNSET`` stays, ``None`` takes the limit away."""

    calls_per_minute: int | msgspec.UnsetType | None = msgspec.UNSET
    tokens_per_minute: int | msgspec.UnsetType | None = msgspec.UNSET
    usd_per_day: str | msgspec.UnsetType | None = msgspec.UNSET
    usd_per_month: str | msgspec.UnsetType | None = msgspec.UNSET


def check_request(request: KeyRequest) -> None:
    """Refuse a request for a key that could not be.

    Raises:
        InvalidRequest: with the field, its value and what may stand there.
    """
    if not 1 <= len(request.name) <= MAX_NAME or not request.name.isprintable():
        raise InvalidRequest(f"The key's name has 1 to {MAX_NAME} printable characters.", param="name")
    if not re.fullmatch(APP_PATTERN, request.app):
        raise InvalidRequest(
            f"The app {request.app[:64]!r} is not a name.",
            hint="Lower-case letters, digits and `_.-`, at most 64, a letter or digit first.",
            param="app",
        )
    _check_scopes(request.scopes)
    for glob in request.models:
        if not _MODEL_GLOB.fullmatch(glob):
            raise InvalidRequest(f"{glob[:64]!r} is not the name of a model.", param="models")
    if request.sensitivity is not None:
        try:
            parse_sensitivity(request.sensitivity)
        except ValueError as exc:
            raise InvalidRequest(f"The {exc}.", param="sensitivity") from exc
    if request.expires_in_days is not None and not 1 <= request.expires_in_days <= MAX_DAYS:
        raise InvalidRequest(
            f"A key lives 1 to {MAX_DAYS:,} days, not {request.expires_in_days}.", param="expires_in_days"
        )


def _check_scopes(scopes: Iterable[str]) -> None:
    wrong = [scope for scope in scopes if scope not in SCOPES]
    if wrong:
        near = get_close_matches(wrong[0], SCOPES, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(SCOPES)}."
        raise InvalidRequest(f"{wrong[0][:64]!r} is not a scope.", hint=hint, param="scopes")
    if not list(scopes):
        raise InvalidRequest(
            "A key without a scope may do nothing.", hint=f"Known: {', '.join(SCOPES)}.", param="scopes"
        )


def limits_of(asked: KeyRequest | KeyChange) -> dict[str, int | None]:
    """Return the limits in stored units, those that are ``UNSET`` left out.

    Raises:
        InvalidRequest: one is not a positive number.
    """
    given: Mapping[str, int | str | None] = {
        field.name: value
        for field in fields(asked)
        if field.name in _STORED_AS and (value := getattr(asked, field.name)) is not msgspec.UNSET
    }
    return {_STORED_AS[name]: _limit(name, value) for name, value in given.items()}


_STORED_AS = {
    "calls_per_minute": "calls_per_minute",
    "tokens_per_minute": "tokens_per_minute",
    "usd_per_day": "per_day_nano_usd",
    "usd_per_month": "per_month_nano_usd",
}


def _limit(name: str, value: int | str | None) -> int | None:
    if value is None:
        return None
    if isinstance(value, str):
        if not re.fullmatch(USD_PATTERN, value, re.ASCII):
            raise InvalidRequest(f"{name} is {value[:40]!r}, not an amount such as 12.50.", param=name)
        return to_nano_usd(Decimal(value))
    if not 1 <= value <= MAX_RATE:
        raise InvalidRequest(f"{name} is {value}; it lies in 1 to {MAX_RATE:,}.", param=name)
    return value
