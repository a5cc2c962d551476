"""Finding identifiers and keys in text, in linear time.

RE2 finds candidates, checksums decide. One RE2 pass tells whether a text holds any candidate at all, which most do not.
Text is read as UTF-8 bytes: every pattern is ASCII, so no other character can hide half of a value.
"""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import re2

from trimtab.core import Sensitivity
from trimtab.workloads.numbers import (
    IBAN_CANDIDATE,
    LETTER_CANDIDATE,
    MAX_WIDTH,
    NUMBER_START,
    iban_at,
    letter_number,
    number_at,
)

MAX_CANDIDATES = 500
"""Runs that look like a number and fail their checksum before classification gives up and assumes one would pass."""


class Identifier(NamedTuple):
    """Something found that names a person or an account, or opens something."""

    kind: str
    """``card``, ``iban``, ``email``, ``phone``, ``national_id_CC``, or one of ``SECRET_KINDS``."""
    start: int
    end: int
    """Half-open span."""


class _Secret(NamedTuple):
    kind: str
    source: bytes
    needs_digit: bool = False
    """Whether the value must have a digit: words joined by hyphens can start with ``sk-`` too."""


_SECRETS = (
    _Secret("trimtab_key", rb"tt-[A-Za-z0-9_-]{20,}", needs_digit=True),
    _Secret("api_key", rb"sk-[A-Za-z0-9_-]{16,}", needs_digit=True),
    _Secret("aws_key", rb"(?:AKIA|ASIA)[0-9A-Z]{16}"),
    _Secret("github_token", rb"gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,}"),
    _Secret("api_key", rb"AIza[0-9A-Za-z_-]{35}|hf_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{40,}|[rs]k_live_[A-Za-z0-9]{16,}"),
    _Secret("api_key", rb"xox[abeprs]-[A-Za-z0-9-]{10,}|glpat-[A-Za-z0-9_-]{20,}", needs_digit=True),
    _Secret("jwt", rb"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    _Secret("private_key", rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"),
)
SECRET_KINDS = frozenset(secret.kind for secret in _SECRETS)
"""Kinds that open something. One of them makes a call ``restricted``; every other kind makes it ``confidential``."""

_SECRET = b"(?:^|[^A-Za-z0-9])(" + b"|".join(secret.source for secret in _SECRETS) + b")"
_EMAIL = rb"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}"
_PHONE = rb"\+[1-9](?:[ .()-]{0,2}[0-9]){7,13}"
_LETTERS = rb"\b(?:" + LETTER_CANDIDATE + rb")\b"
_IBAN = rb"\b" + IBAN_CANDIDATE
# Looser and shorter than what it stands for, to keep RE2's automaton small. The last part is an ASCII character written
# as a JSON escape, behind which anything may hide.
_ANYTHING = b"|".join(
    (
        rb"(?:sk|tt)-[A-Za-z0-9_-]{12}|A[KS]IA[0-9A-Z]{4}|gh[pousr]_|github_pat_|AIza|hf_[A-Za-z0-9]{8}|gsk_|[rs]k_live_",
        rb"xox[abeprs]-|glpat-|eyJ[A-Za-z0-9_-]{8}|-----BEGIN ",
        rb"@[A-Za-z0-9-]{1,63}\.|\+[1-9](?:[ .()-]{0,2}[0-9]){7}",
        b"(?:" + NUMBER_START + b")",
        rb"[0-9]{6}[-+A-FU-Y][0-9]{3}|(?:[0-9]|[XYZ]-?)[0-9]{7}-?[A-Z]|[A-Z]{6}[0-9L-V]{2}[A-T]",
        rb"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){6}",
        rb"\\u00[2-7]",
    )
)


# Compiled on first use: importing a module does nothing.
@cache
def _compiled(source: bytes) -> re2._Regexp:
    return re2.compile(source)


def may_hold_identifiers(text: str) -> bool:
    """Return whether a closer look is worth it; ``False`` is certain, for JSON with its escapes too."""
    return _compiled(_ANYTHING).search(text.encode("utf-8", "surrogatepass")) is not None


def detect_identifiers(text: str) -> list[Identifier]:
    """Find identifiers and keys in a text.

    Returns:
        What was found, by position and without overlap; spans are in characters of ``text``.
    """
    encoded = text.encode("utf-8", "surrogatepass")
    if _compiled(_ANYTHING).search(encoded) is None:
        return []
    found = [*_secrets(encoded), *_contacts(encoded), *(number for number in _numbers(encoded) if number is not None)]
    apart = _without_overlap(found)
    return apart if len(encoded) == len(text) else _in_characters(apart, encoded)


def redact(text: str) -> str:
    """Return the text with every identifier and key replaced by ``[REDACTED:kind]``."""
    pieces: list[str] = []
    end = 0
    for identifier in detect_identifiers(text):
        pieces += (text[end : identifier.start], f"[REDACTED:{identifier.kind}]")
        end = identifier.end
    return "".join(pieces) + text[end:]


def detected_sensitivity(body: bytes, floor: Sensitivity) -> tuple[Sensitivity, str | None]:
    """Return the level that a JSON body's content asks for, at least ``floor``, and the kind that raised it.

    The body is read as it stands, so that content, tool arguments and results, duplicate fields and fields nobody knows
    all count. It stops at the first find that settles the level. After ``MAX_CANDIDATES`` numbers that fail their
    checksum it assumes that one would pass, so a body full of them cannot hold up other calls.
    """
    if floor >= Sensitivity.RESTRICTED or _compiled(_ANYTHING).search(body) is None:
        return floor, None
    text = _unescaped(body)
    for secret in _secrets(text):
        return Sensitivity.RESTRICTED, secret.kind
    if floor >= Sensitivity.CONFIDENTIAL:
        return floor, None
    for contact in _contacts(text):
        return Sensitivity.CONFIDENTIAL, contact.kind
    for n_tried, number in enumerate(_numbers(text)):
        if number is not None:
            return Sensitivity.CONFIDENTIAL, number.kind
        if n_tried >= MAX_CANDIDATES:
            return Sensitivity.CONFIDENTIAL, "unchecked_numbers"
    return floor, None


def _unescaped(body: bytes) -> bytes:
    """Undo JSON's escapes roughly, those of JSON inside JSON too: enough that none can hide or touch a value."""
    if b"\\" not in body:
        return body
    if b"\\u" in body:
        body = _without_unicode_escapes(body)
    for escape in (b"\\n", b"\\r", b"\\t", b"\\b", b"\\f"):
        body = body.replace(escape, b"\n")
    return body.replace(b"\\", b"")


def _without_unicode_escapes(body: bytes) -> bytes:
    head, *rest = body.split(b"\\u")
    # Backslashes before an escape are those of JSON inside JSON; left there, they would join what comes out of it.
    pieces = [head.rstrip(b"\\")]
    for piece in rest:
        try:
            code = int(piece[:4], 16)
        except ValueError:
            pieces.append(piece)
            continue
        pieces += (bytes((code,)) if code < 128 else b" ", piece[4:].rstrip(b"\\"))
    return b"".join(pieces)


def _secrets(text: bytes) -> Iterator[Identifier]:
    end = 0
    for match in _compiled(_SECRET).finditer(text):
        start, stop = match.span(1)
        kind = _secret_kind(match.group(1)) if start >= end else None
        if kind is not None:
            end = _end_of_block(text, stop) if kind == "private_key" else stop
            yield Identifier(kind, start, end)


def _secret_kind(value: bytes) -> str | None:
    for secret in _SECRETS:
        if _compiled(secret.source).fullmatch(value) is not None:
            has_digit = any(character.isdigit() for character in value.decode())
            return secret.kind if has_digit or not secret.needs_digit else None
    return None


def _end_of_block(text: bytes, start: int) -> int:
    """Return where a PEM block ends; one that was cut off runs to the end of the text."""
    footer = text.find(b"-----END", start)
    dashes = text.find(b"-----", footer + 8) if footer >= 0 else -1
    return dashes + 5 if dashes >= 0 else len(text)


def _contacts(text: bytes) -> Iterator[Identifier]:
    if b"@" in text:
        for match in _compiled(_EMAIL).finditer(text):
            yield Identifier("email", *match.span())
    if b"+" in text:
        for match in _compiled(_PHONE).finditer(text):
            if not _touches(text, *match.span()):
                yield Identifier("phone", *match.span())


def _numbers(text: bytes) -> Iterator[Identifier | None]:
    """Yield numbers whose checksum holds, and ``None`` for each candidate whose does not."""
    yield from _digit_numbers(text)
    for match in _compiled(_LETTERS).finditer(text):
        kind = letter_number(match.group().decode())
        yield Identifier(kind, *match.span()) if kind is not None else None
    yield from _ibans(text)


def _digit_numbers(text: bytes) -> Iterator[Identifier | None]:
    pattern, position = _compiled(NUMBER_START), 0
    while (match := pattern.search(text, position)) is not None:
        start = match.start()
        kind, length = number_at(text[start : start + MAX_WIDTH].decode("ascii", "replace"))
        position = start + length
        is_alone = not text[start - 1 : start].isalnum()
        yield Identifier(kind, start, position) if kind is not None and is_alone else None


def _ibans(text: bytes) -> Iterator[Identifier | None]:
    pattern, position = _compiled(_IBAN), 0
    while (match := pattern.search(text, position)) is not None:
        start, end = match.span()
        length = iban_at(match.group().decode())
        if length is None or (start + length == end and text[end : end + 1].isalnum()):
            # The candidate may have run on into the beginning of a real one.
            position = start + 4
            yield None
        else:
            position = start + length
            yield Identifier("iban", start, position)


def _touches(text: bytes, start: int, end: int) -> bool:
    return text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()


def _without_overlap(found: list[Identifier]) -> list[Identifier]:
    """Keep the earliest, and of those the longest; one that only begins inside it extends it, so nothing shows."""
    apart: list[Identifier] = []
    for identifier in sorted(found, key=lambda one: (one.start, -one.end)):
        if apart and identifier.start < apart[-1].end:
            apart[-1] = apart[-1]._replace(end=max(apart[-1].end, identifier.end))
        else:
            apart.append(identifier)
    return apart


def _in_characters(found: list[Identifier], encoded: bytes) -> list[Identifier]:
    converted, n_characters, position = [], 0, 0
    for identifier in found:
        start = n_characters + _n_characters(encoded[position : identifier.start])
        # Every pattern is ASCII, but a key block may hold anything.
        end = start + _n_characters(encoded[identifier.start : identifier.end])
        converted.append(Identifier(identifier.kind, start, end))
        n_characters, position = end, identifier.end
    return converted


def _n_characters(encoded: bytes) -> int:
    return len(encoded.decode("utf-8", "surrogatepass"))
