"""Write docs/reference/settings.md: every setting with type, default and meaning, from the settings' own classes."""

import inspect
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args, get_origin

from generated import ROOT, about, docstrings_of, table, write_or_check
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from trimtab.wiring.settings import ENVIRONMENT, Settings

PAGE = ROOT / "docs/reference/settings.md"

_HEAD = """\
# Settings

Written by `scripts/settings_page.py` from `trimtab.wiring.settings`; do not edit.

`trimtab.yaml` holds what may serve and how the process runs. What is *allowed* and *preferred* stands in the policy
file. The order is flag, environment, file, default. An unknown key or environment name is an error that suggests the
nearest known one. Relative paths, those from the environment too, start at the file's folder. `trimtab init` writes a
commented file and `trimtab check` tries one.

`[]` marks an entry of a list. "Required" means that there is no default, and "none" that the setting is left out.
"""


def main() -> int:
    """Write or check the page."""
    parts = [_HEAD]
    for title, prefix, model in _sections("", Settings):
        rows = [row for name, field in model.model_fields.items() if (row := _row(prefix, name, field, model))]
        if rows:
            parts.append(f"## {title}\n")
            if text := about(model):
                parts.append(f"{text}\n")
            parts.append(table(("Setting", "Type", "Default", "Meaning"), rows) + "\n")
    names = [(f"`{name}`", f"`{setting}`") for name, setting in ENVIRONMENT.items()]
    parts.append("## Environment\n\n" + table(("Name", "Overrides"), names) + "\n")
    return write_or_check(PAGE, "\n".join(parts))


def _sections(prefix: str, model: type[BaseModel]) -> Iterator[tuple[str, str, type[BaseModel]]]:
    """Yield a model and the models inside it, with the dotted prefix of their fields."""
    yield (f"`{prefix.rstrip('.')}`" if prefix else "Top level"), prefix, model
    for name, field in model.model_fields.items():
        inner, is_list = _model_in(field.annotation)
        if inner is not None:
            yield from _sections(f"{prefix}{name}{'[]' if is_list else ''}.", inner)


def _row(prefix: str, name: str, field: FieldInfo, model: type[BaseModel]) -> tuple[str, ...] | None:
    inner, is_list = _model_in(field.annotation)
    if inner is not None and not is_list and not field.is_required() and field.default is not None:
        return None  # its fields have a section of their own
    kind = _type(field.annotation) + _bounds(field)
    return f"`{prefix}{name}`", kind, _default(field), docstrings_of(model).get(name, "")


def _model_in(annotation: Any) -> tuple[type[BaseModel] | None, bool]:  # Any: annotations have no common type
    """Return the model an annotation leads to, and whether through a list."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation, False
    is_list = get_origin(annotation) in {tuple, list}
    for part in get_args(annotation):
        inner, is_inner_list = _model_in(part)
        if inner is not None:
            return inner, is_list or is_inner_list
    return None, False


def _type(annotation: Any) -> str:  # Any: annotations have no common type
    if annotation in _WORDS:
        return _WORDS[annotation]
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return "section"
    if inspect.isclass(annotation) and issubclass(annotation, StrEnum):
        return " or ".join(f"`{part}`" for part in annotation)
    inner = [part for part in get_args(annotation) if part is not ... and part is not type(None)]
    name = getattr(get_origin(annotation), "__name__", "")
    if name == "Literal":
        return " or ".join(f"`{part}`" for part in inner)
    if name in {"tuple", "list", "frozenset", "set"}:
        return f"list of {_type(inner[0])}".replace("list of section", "list of sections")
    if name == "dict":
        return f"{_type(inner[0])} to {_type(inner[1])}"
    return " or ".join(_type(part) for part in inner)


_WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    Decimal: "number",
    bool: "`true` or `false`",
    Path: "path",
    date: "date",
}


def _bounds(field: FieldInfo) -> str:
    """Return the limits of a number in words, such as ``, 1 to 256``."""
    limits = {
        name: getattr(part, name) for part in field.metadata for name in ("ge", "gt", "le") if hasattr(part, name)
    }
    low, high = limits.get("ge", limits.get("gt")), limits.get("le")
    if low is None:
        return ""
    start = f"more than {low:,}" if "gt" in limits else f"{low:,}"
    if high is not None:
        return f", {start}{', at most' if 'gt' in limits else ' to'} {high:,}"
    return f", {start}" if "gt" in limits else f", at least {start}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if default is None:
        return "none"
    if isinstance(default, frozenset):
        default = sorted(default)
    if isinstance(default, tuple | list | dict):
        return ", ".join(f"`{item}`" for item in default) or "empty"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" if default != "" else "empty"


if __name__ == "__main__":
    raise SystemExit(main())
