"""Masking identifiers and keys in recorded bodies: JSON, server-sent events, or anything else, whole or cut off.

Two passes. For events, the pieces that make up one text (the deltas of one choice, the arguments of one tool call) are
joined first, so that a value split over several events is found. Then every string of the body is masked where it
stands, whether the JSON around it is complete or not. A body in which nothing is found keeps its bytes.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from trimtab.core.stream_text import TEXT_FIELDS
from trimtab.workloads.detector import may_hold_identifiers, redact

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_CUT_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?$")
_MASK = re.compile(r"\[REDACTED:\w+\]")
_EVENT_STREAM = re.compile(r"\s*(?:data|event|id|retry)?:")
_DATA_LINE = re.compile(r"(?:(?<=[\r\n])|^)data:([^\r\n]*)")
_LOG_PROBABILITIES = re.compile(r'("token"\s*+:\s*+)"[^"\\]*+(?:\\.[^"\\]*+)*+"?|("bytes"\s*+:\s*+)\[[^\]]*+\]?')

_PIECES = TEXT_FIELDS | {"delta"}
"""Fields that hold one piece of a longer text in each event; ``delta`` is that of OpenAI's Responses form."""
_PLACES = ("index", "output_index", "content_index", "item_id")
"""Fields that say to which text a piece belongs."""
_SHORTEST = len("a@b.cd")
"""Nothing that is masked is shorter."""
_MAX_NESTED = 4
"""Levels of JSON inside JSON strings that are read as JSON; deeper ones are masked as plain text."""


def redact_body(body: bytes) -> bytes:
    """Return the body with every identifier and key replaced by ``[REDACTED:kind]``.

    It never raises: bytes that are not UTF-8 are kept, and what is not JSON is read as text. Log probabilities repeat a
    text token by token, so where anything is masked they go too. An event cut off in the middle goes as a whole, for
    it may hold the other half of a value.
    """
    text = body.decode("utf-8", "surrogateescape")
    is_stream = _EVENT_STREAM.match(text) is not None
    if not is_stream and not may_hold_identifiers(text):
        return body
    masked = _mask_streams(text) if is_stream else text
    masked = _mask_text(masked, is_json=is_stream or _looks_like_json(text), depth=0)
    if masked == text:
        return body
    if '"logprobs"' in masked:
        masked = _LOG_PROBABILITIES.sub(_without_token, masked)
    return masked.encode("utf-8", "surrogateescape")


def _looks_like_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[")


def _without_token(match: re.Match[str]) -> str:
    return f'{match[1]}"[REDACTED:token]"' if match[1] is not None else f"{match[2]}null"


def _mask_text(text: str, *, is_json: bool, depth: int) -> str:
    """Mask what stands in and between the string literals of a text."""
    pieces: list[str] = []
    end = 0
    for match in _STRING.finditer(text):
        pieces += (_mask_between(text[end : match.start()], is_json=is_json), _mask_literal(match[0], depth))
        end = match.end()
    pieces.append(_mask_between(text[end:], is_json=is_json))
    return "".join(pieces)


def _mask_between(text: str, *, is_json: bool) -> str:
    """Mask numbers; in JSON the mask becomes a string, so that the document stays valid."""
    if len(text) < _SHORTEST:
        return text
    masked = redact(text)
    return _MASK.sub(r'"\g<0>"', masked) if is_json and masked != text else masked


def _mask_literal(literal: str, depth: int) -> str:
    if len(literal) < _SHORTEST or not may_hold_identifiers(literal):
        return literal
    value = _value_of(literal)
    if value is None:
        return redact(literal)
    masked = _mask_value(value, depth + 1)
    return literal if masked == value else json.dumps(masked)


def _mask_value(value: str, depth: int) -> str:
    """Mask a string's value; escapes in it mean that it holds JSON or code with strings of its own."""
    if "\\" in value and depth < _MAX_NESTED:
        return _mask_text(value, is_json=_looks_like_json(value), depth=depth)
    return redact(value)


def _value_of(literal: str) -> str | None:
    """Return what a string literal says, one that was cut off too; ``None`` for one that JSON does not know."""
    is_whole = len(literal) > 1 and literal.endswith('"')
    try:
        value = json.loads(literal if is_whole else _CUT_ESCAPE.sub("", literal) + '"', strict=False)
    except ValueError:
        return None
    return value if isinstance(value, str) else None


class _Piece(NamedTuple):
    """Where one piece of a text stands in a decoded event. ``Any``: it is a provider's JSON."""

    holder: dict[str, Any]
    field: str


_Key = tuple[str | int, ...]


def _mask_streams(text: str) -> str:
    """Mask texts that run over several events: what is left of one stands in its first event, the others are empty."""
    payloads = [_decoded(match[1]) for match in _DATA_LINE.finditer(text)]
    texts: defaultdict[_Key, list[_Piece]] = defaultdict(list)
    for payload in payloads:
        for key, piece in _pieces_of(payload, ()):
            texts[key].append(piece)
    changed = False
    for pieces in texts.values():
        whole = "".join(piece.holder[piece.field] for piece in pieces)
        masked = _mask_value(whole, 0) if may_hold_identifiers(whole) else whole
        if masked != whole:
            changed = True
            for piece in pieces:
                piece.holder[piece.field] = ""
            pieces[0].holder[pieces[0].field] = masked
    if not changed and _CUT not in payloads:
        return text
    rest = iter(payloads)
    return _DATA_LINE.sub(lambda match: _line_of(match, next(rest)), text)


_CUT = object()
_OTHER = object()


def _decoded(payload: str) -> object:
    if not payload.lstrip().startswith("{"):
        return _OTHER
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return _decoded_leniently(payload)


def _decoded_leniently(payload: str) -> object:
    """Read what strict JSON has no place for, such as half a surrogate pair or NaN."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return _CUT


def _line_of(match: re.Match[str], payload: object) -> str:
    if payload is _OTHER:
        return match[0]
    return "data: [REDACTED:unreadable_event]" if payload is _CUT else f"data: {json.dumps(payload)}"


def _pieces_of(value: object, key: _Key) -> Iterator[tuple[_Key, _Piece]]:
    if isinstance(value, dict):
        places = tuple(place for name in _PLACES if isinstance(place := value.get(name), int | str))
        for name, child in value.items():
            if isinstance(child, str):
                if name in _PIECES:
                    yield (*key, *places, name), _Piece(value, name)
            else:
                yield from _pieces_of(child, (*key, *places, name))
    elif isinstance(value, list):
        for position, child in enumerate(value):
            has_place = isinstance(child, dict) and "index" in child
            yield from _pieces_of(child, key if has_place else (*key, position))
