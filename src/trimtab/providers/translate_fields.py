"""Reading a caller's JSON on its way into another wire form: what has the wrong type is refused by name."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from trimtab.core.errors import InvalidRequest

# Any: a translated body is JSON of the caller's own making, read field by field with the checks below.
Json = dict[str, Any]
Carry = Callable[[Any, Json], None]
"""Puts one field's value into the body being built, or raises ``InvalidRequest``."""


def as_object(value: object, where: str) -> Json:
    """Return ``value``, a JSON object."""
    return _checked(value, dict, "an object", where)


def as_list(value: object, where: str) -> list[Any]:
    """Return ``value``, a JSON list."""
    return _checked(value, list, "a list", where)


def as_text(value: object, where: str) -> str:
    """Return ``value``, a string."""
    return _checked(value, str, "a string", where)


_T = TypeVar("_T")


def _checked(value: object, kind: type[_T], described: str, where: str) -> _T:
    if not isinstance(value, kind):
        raise InvalidRequest(f"`{where}` is a {type(value).__name__}, not {described}.", param=where)
    return value


def cannot_carry(where: str, form: str, hint: str | None = None) -> InvalidRequest:
    """Return the refusal of something that the other wire form has no place for."""
    return InvalidRequest(
        f"`{where}` has no place in {form}, which the chosen model speaks.",
        hint=hint or "Leave it out, or name a model whose provider speaks your wire form.",
        param=where,
    )


def carry_fields(body: bytes, fields: Mapping[str, Carry], form: str) -> Json:
    """Build a new body by giving each top-level field to its carrier; ``null`` counts as absent.

    Raises:
        InvalidRequest: a field has no carrier.
    """
    built: Json = {}
    try:
        given = as_object(msgspec.json.decode(body), "the body")
    except (msgspec.DecodeError, RecursionError) as exc:
        raise InvalidRequest(f"The request body is not a JSON object: {exc}.") from exc
    for name, value in given.items():
        if value is None:
            continue
        carrier = fields.get(name)
        if carrier is None:
            raise cannot_carry(name, form)
        carrier(value, built)
    return built


def as_is(name: str) -> Carry:
    """Carry the value under ``name``."""

    def carry(value: Any, built: Json) -> None:
        built[name] = value

    return carry


def drop(value: Any, built: Json) -> None:
    """Leave the field out: it does not change the answer's content. Each use is listed in the documentation."""


def only(neutral: tuple[object, ...], where: str, form: str, hint: str | None = None) -> Carry:
    """Leave the field out where its value asks for nothing, and refuse any other value."""

    def carry(value: Any, built: Json) -> None:
        if value not in neutral:
            raise cannot_carry(where, form, hint)

    return carry


def merge_turn(messages: list[Json], role: str, content: list[Json]) -> None:
    """Append content as a turn of ``role``, joined to the last turn when that has the same role."""
    if messages and messages[-1]["role"] == role:
        messages[-1]["content"] += content
    else:
        messages.append({"role": role, "content": content})
