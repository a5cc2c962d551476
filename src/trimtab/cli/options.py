"""Options that travel together: a command's parameter of a dataclass type is one option for each of its fields."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import wraps
from typing import Any, TypeVar, get_type_hints

R = TypeVar("R")


def with_options(command: Callable[..., R]) -> Callable[..., R]:
    """Return the command as Typer reads it, with the fields of its dataclass parameters in their places.

    Typer takes one option a parameter and knows no groups, so commands that share options would repeat them all. A
    field is annotated and defaulted as the parameter would be.
    """
    hints = get_type_hints(command, include_extras=True)
    # Any: dataclasses, which share no type that can be called.
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if name != "return" and is_dataclass(kind)}
    spread: dict[str, inspect.Parameter] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        if name in groups:
            spread.update(_parameters_of(groups[name]))
        else:
            spread[name] = parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)

    @wraps(command)
    def run(**given: Any) -> R:  # Any: what Typer read for each parameter
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        return command(**given)

    result = hints.get("return", inspect.Signature.empty)
    run.__signature__ = inspect.Signature(list(spread.values()), return_annotation=result)  # type: ignore[attr-defined]  # read by inspect
    run.__annotations__ = {name: parameter.annotation for name, parameter in spread.items()}
    return run


def _parameters_of(group: Any) -> dict[str, inspect.Parameter]:  # Any: a dataclass, which has no type of its own
    hints = get_type_hints(group, include_extras=True)
    return {
        field.name: inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=_default_of(field), annotation=hints[field.name]
        )
        for field in fields(group)
    }


def _default_of(field: Field[Any]) -> object:
    return inspect.Parameter.empty if field.default is MISSING else field.default
