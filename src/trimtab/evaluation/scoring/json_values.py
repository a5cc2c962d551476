"""JSON in answers: finding it, and comparing its values by what they mean."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Literal, NamedTuple

Json = None | bool | int | float | Decimal | str | list["Json"] | dict[str, "Json"]
Numbers = Literal["decimal", "binary"]
_FENCED = re.compile(r"^[ \t]*```[ \t]*(?:json|JSON)?[ \t]*\n(.*?)^[ \t]*```", re.MULTILINE | re.DOTALL)
_OPENING = re.compile(r"[{\[]")
_N_TRIES = 64
_DEEPEST = 200


class Found(NamedTuple):
    """A value, which may well be ``null``."""

    value: Json


def find_json(text: str, *, alone: bool, numbers: Numbers = "decimal") -> Found | None:
    r"""Return the JSON value of an answer, or ``None``.

    Args:
        text: The answer.
        alone: Whether the answer must be JSON and nothing else. Otherwise the last fenced block that is JSON will do,
            or the longest object or list within the text.
        numbers: Exact decimals, or the numbers that JSON Schema's checks expect.

    >>> find_json('Sure:\n```json\n{"a": 1}\n```', alone=False, numbers="binary")
    Found(value={'a': 1})
    >>> find_json('Sure: {"a": 1}', alone=True) is None
    True
    """
    decoder = _DECODERS[numbers]
    whole = _decoded(text.strip(), decoder)
    if whole is not None or alone:
        return whole
    fenced = [found for block in _FENCED.findall(text) if (found := _decoded(block.strip(), decoder))]
    return fenced[-1] if fenced else _longest(text, decoder)


def difference(wanted: Json, found: Json, path: str = "$") -> str | None:
    """Return the first place where two values differ and how, or ``None``. ``1`` equals ``1.0`` and not ``true``."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return _keys_differ(wanted, found, path) or _first(
            difference(value, found[key], f"{path}.{key}") for key, value in wanted.items()
        )
    if isinstance(wanted, list) and isinstance(found, list):
        if len(wanted) != len(found):
            return f"{path} has {len(found)} elements instead of {len(wanted)}"
        pairs = enumerate(zip(wanted, found, strict=True))
        return _first(difference(one, other, f"{path}[{index}]") for index, (one, other) in pairs)
    return None if kind_of(wanted) == kind_of(found) and wanted == found else f"{path} is another value"


def in_order(value: Json) -> Json:
    """Return the value with its lists sorted, so that the order in which they were written makes no difference."""
    if isinstance(value, dict):
        return {key: in_order(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        return sorted((in_order(inner) for inner in value), key=_sorting)
    return value


def kind_of(value: Json) -> str:
    """Return JSON's name of a value's type; all numbers are one."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case dict():
            return "object"
        case list():
            return "array"
    return "number"


def _sorting(value: Json) -> str:
    match value:
        case dict():
            return "{" + ",".join(f"{key!r}:{_sorting(inner)}" for key, inner in value.items())
        case list():
            return "[" + ",".join(map(_sorting, value))
        case Decimal():
            return f"number {value.normalize()}"
    return f"{kind_of(value)} {value!r}"


def _keys_differ(wanted: dict[str, Json], found: dict[str, Json], path: str) -> str | None:
    missing, extra = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    return f"{path}.{missing[0]} is missing" if missing else f"{path}.{extra[0]} is too much" if extra else None


def _first(differences: Iterator[str | None]) -> str | None:
    return next((found for found in differences if found), None)


def _refused(constant: str) -> Json:
    raise ValueError(f"{constant} is not JSON")


_DECODERS: dict[Numbers, json.JSONDecoder] = {
    "decimal": json.JSONDecoder(parse_float=Decimal, parse_int=Decimal, parse_constant=_refused),
    "binary": json.JSONDecoder(parse_constant=_refused),
}


def _decoded(text: str, decoder: json.JSONDecoder) -> Found | None:
    try:
        value, end = decoder.raw_decode(text)
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return Found(value) if not text[end:].strip() and _is_shallow(value) else None


def _longest(text: str, decoder: json.JSONDecoder) -> Found | None:
    """Return the longest value that starts at one of the first brackets; each try reads on at most once."""
    best, best_length, end = None, 0, 0
    for number, match in enumerate(_OPENING.finditer(text)):
        if number == _N_TRIES:
            break
        if match.start() < end:
            continue
        try:
            value, end = decoder.raw_decode(text, match.start())
        except (ValueError, ArithmeticError, RecursionError):
            continue
        if end - match.start() > best_length and _is_shallow(value):
            best, best_length = Found(value), end - match.start()
    return best


def _is_shallow(value: Json) -> bool:
    """Return whether the value nests no deeper than functions may call themselves."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return True
    return False
