"""The closed registry of what a rule may ask about, made from the fields of ``Facts``."""

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import msgspec

from trimtab.core import STRICTEST, Api, Sensitivity
from trimtab.policy.constraints import Facts, Mode

Kind = Literal["text", "count", "flag", "level"]
Value = str | int | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FactField:
    """One field of a call that rules can test."""

    name: str
    kind: Kind
    is_nullable: bool
    values: tuple[str, ...] = ()
    """Every value the field can have, where that set is closed; empty where it is open."""

    def shown(self, value: Value) -> str:
        """Return the value as a policy file would write it."""
        if value is None:
            return "absent"
        if self.kind == "level":
            return level_of(value).label
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)


_CLOSED: Mapping[str, tuple[str, ...]] = {
    "api": tuple(api.value for api in Api),
    "requested_mode": get_args(Mode),
    "json_mode": ("json_object", "json_schema"),
}
_KINDS: Mapping[type, Kind] = {str: "text", int: "count", bool: "flag"}


def level_of(value: Value) -> Sensitivity:
    """Return the sensitivity level, the strictest for a number that is none."""
    return Sensitivity(value) if isinstance(value, int) and 0 <= value <= STRICTEST else STRICTEST


def _field_of(name: str, annotation: object) -> FactField:
    options = get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    base = next(option for option in options if option is not type(None))
    kind: Kind = "level" if name == "sensitivity" else _KINDS[base]
    return FactField(name=name, kind=kind, is_nullable=type(None) in options, values=_CLOSED.get(name, ()))


FIELDS: Mapping[str, FactField] = {
    field.name: _field_of(field.name, typing.get_type_hints(Facts)[field.name])
    for field in msgspec.structs.fields(Facts)
}
"""By name, in the order of ``Facts``."""
