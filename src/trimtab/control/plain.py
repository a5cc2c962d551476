"""Records as plain JSON values with every field present: one left out cannot be told from one forgotten."""

from dataclasses import fields, is_dataclass
from typing import Any

import msgspec


def plain(value: Any) -> Any:  # Any: records and containers of every kind
    """Return mappings and lists for structs and dataclasses, fields at their defaults included.

    >>> from trimtab.core import Usage
    >>> plain((Usage(input_tokens=1),))[0]["output_tokens"] is None
    True
    """
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value
