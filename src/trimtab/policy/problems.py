"""Turn validation errors into sentences with file, line and the nearest thing that would have been right."""

import typing
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from trimtab.core.errors import PolicyInvalid
from trimtab.policy.document import Document
from trimtab.policy.yaml_source import Path, Plain, SourceLines

MAX_LISTED = 20
"""Problems reported at once."""


def invalid(exc: ValidationError, plain: Plain, places: SourceLines) -> PolicyInvalid:
    """Return the error that lists every problem pydantic found, in the order of the file."""
    found = []
    for details in exc.errors(include_url=False):
        path = _path_in(plain, details["loc"])
        found.append((places.lines.get(path, 0), f"{places.at(path)}: {_full_stop(_sentence(details, path))}"))
    found.sort()
    return refused([sentence for _, sentence in found])


def refused(sentences: list[str]) -> PolicyInvalid:
    """Return one error for all the problems."""
    listed = list(dict.fromkeys(sentences))
    more = [f"and {len(listed) - MAX_LISTED} more"] if len(listed) > MAX_LISTED else []
    return PolicyInvalid(
        "\n".join(listed[:MAX_LISTED] + more),
        hint="docs/reference/policy.md lists every key; an editor completes them from policy.schema.json.",
    )


def _path_in(plain: Plain, loc: tuple[str | int, ...]) -> Path:
    """Return the part of ``loc`` that exists in the file; pydantic adds names of its own to it."""
    here: Any = plain  # walks any part of the document
    path: list[str | int] = []
    for step in loc:
        is_there = (isinstance(here, dict) and step in here) or (
            isinstance(here, list) and isinstance(step, int) and step < len(here)
        )
        if is_there:
            here = here[step]
            path.append(step)
    return tuple(path)


def _sentence(details: ErrorDetails, path: Path) -> str:
    where = _spelled(path) or "the document"
    shown = _shown(details["input"])
    context: Mapping[str, Any] = details.get("ctx", {})  # pydantic's own extras, by error type
    kind, loc = details["type"], details["loc"]
    if kind == "extra_forbidden":
        return f"unknown key {loc[-1]!r} in {_spelled(path[:-1]) or 'the document'}{_nearest(str(loc[-1]), _keys(loc))}"
    if kind == "missing":
        return f"{where} lacks {loc[-1]!r}"
    if kind == "literal_error":
        expected = str(context["expected"])
        options = [option.strip("' ") for option in expected.replace(" or ", ", ").split(",")]
        return f"{where} is {shown}, not {expected}{_nearest(str(details['input']), options, listed=False)}"
    if kind == "value_error":
        return (
            f"{where} {context['error']}"
            if str(context["error"]).startswith(("is ", "has "))
            else str(context["error"])
        )
    if kind == "string_pattern_mismatch":
        return f"{where} is {shown}, which does not match {context['pattern']}"
    if kind == "too_short":
        return f"{where} is an empty list; give at least one entry or remove the line"
    return f"{where} is {shown}: {_lower_first(details['msg'])}"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _spelled(path: Path) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _nearest(word: str, known: list[str], *, listed: bool = True) -> str:
    near = get_close_matches(word, known, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known are {', '.join(known)}" if listed and known else ""


def _keys(loc: tuple[str | int, ...]) -> list[str]:
    """Return the keys that could have stood where ``loc`` ends."""
    model: type[BaseModel] = Document
    for step in loc[:-1]:
        for name, field in model.model_fields.items():
            if step in (name, field.alias):
                model = _model_in(field.annotation) or model
                break
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: object) -> type[BaseModel] | None:
    """Return the first model inside an annotation such as ``list[Rule] | None``."""
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, BaseModel) else None
    for inner in typing.get_args(annotation):
        found = _model_in(inner)
        if found is not None:
            return found
    return None


def _full_stop(sentence: str) -> str:
    return sentence if sentence.endswith("?") else f"{sentence}."
