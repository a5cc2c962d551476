"""Write docs/reference/settings.md: every setting with type, default and meaning, from the settings' own classes."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, get_args, get_origin

from generated import ROOT, table, write_or_check
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from trimtab.wiring.settings import ENVIRONMENT, Settings

PAGE = ROOT / "docs/reference/settings.md"

_HEAD = """\
# Settings

Written by `scripts/settings_page.py` from `trimtab.wiring.settings`; do not edit.

`trimtab.yaml` holds what may serve and how the process runs. What is *allowed* and *preferred* stands in the policy
file. The order is flag, environment, file, default. An unknown key or environment name is an error that suggests the
nearest known one, and relative paths are relative to the file that names them. `trimtab init` writes a commented file
and `trimtab check` tries one.

`[]` marks an entry of a list. "Required" means that there is no default.
"""


def main() -> int:
    """Write or check the page."""
    parts = [_HEAD]
    for title, prefix, model in _sections("", Settings):
        rows = [row for name, field in model.model_fields.items() if (row := _row(prefix, name, field, model))]
        if rows:
            parts.append(f"## {title}\n")
            if about := _about(model):
                parts.append(f"{about}\n")
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
    return f"`{prefix}{name}`", _type(field.annotation), _default(field), _docstrings(model).get(name, "")


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
    if annotation is type(None):
        return "nothing"
    if get_origin(annotation) is None:
        return str(getattr(annotation, "__name__", annotation))
    inner = [part for part in get_args(annotation) if part is not ...]
    name = getattr(get_origin(annotation), "__name__", "")
    if name == "Literal":
        return " or ".join(f"`{part}`" for part in inner)
    if name in {"tuple", "list", "frozenset", "set"}:
        return f"list of {_type(inner[0])}"
    if name == "dict":
        return f"{_type(inner[0])} to {_type(inner[1])}"
    return " or ".join(_type(part) for part in inner)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if default is None:
        return "none"
    if isinstance(default, frozenset):
        default = sorted(default)
    if isinstance(default, tuple | list | dict):
        return "empty" if not default else ", ".join(f"`{item}`" for item in default)
    return f"`{str(default) if default != '' else 'empty'}`"


def _about(model: type[BaseModel]) -> str:
    return (inspect.getdoc(model) or "").split("\n\n")[0].replace("``", "`").replace("\n", " ")


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return the string under each field of a class, which Python itself does not keep."""
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if kind is BaseModel or not issubclass(kind, BaseModel):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
        assert isinstance(tree, ast.ClassDef)
        for field, below in pairwise(tree.body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and (text := _string(below)):
                found[field.target.id] = inspect.cleandoc(text).replace("``", "`").replace("\n", " ")
    return found


def _string(statement: ast.stmt) -> str:
    """Return the text of a statement that is a bare string, and nothing for any other."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return text
    return ""


if __name__ == "__main__":
    raise SystemExit(main())
