"""Options of scorers: what there is, what may be given, and what is said about anything else."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TypeVar

import msgspec

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.case import ScorerOption, ScorerSpec


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a scorer, one field each. Every one has a default or is needed."""


class NoOptions(Options, frozen=True, kw_only=True):
    """For scorers without a choice."""


_Kind = TypeVar("_Kind", bound=Options)


def read_options(spec: ScorerSpec, kind: type[_Kind]) -> _Kind:
    """Return a spec's options in their own types.

    Raises:
        ConfigurationError: one is unknown, missing, of another type or out of its range.
    """
    known = [field.name for field in msgspec.structs.fields(kind)]
    unknown = next((name for name in spec.options if name not in known), None)
    if unknown is not None:
        raise ConfigurationError(
            f"Scorer {spec.name!r} has no option {unknown!r}.", hint=nearest(unknown, known, what="It has")
        )
    try:
        return msgspec.convert(dict(spec.options), kind)
    except msgspec.ValidationError as exc:
        raise ConfigurationError(
            f"Scorer {spec.name!r} cannot use its options {_shown(spec.options)}: {exc}.",
            hint=nearest("", known, what="It has"),
        ) from exc


def spec_of(name: str, options: Options) -> ScorerSpec:
    """Return the one spec of these options: defaults are left out, so two ways to write the same are equal."""
    given = {
        field.name: value
        for field in msgspec.structs.fields(options)
        if (value := getattr(options, field.name)) != field.default
    }
    return ScorerSpec(name=name, options=given)


def nearest(name: str, known: Sequence[str], *, what: str) -> str:
    """Return a hint with the closest name and all names."""
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    closest = f"Closest match: {close[0]!r}. " if close else ""
    return f"{closest}{what}: {', '.join(known)}." if known else f"{closest}{what} none."


def _shown(options: Mapping[str, ScorerOption]) -> str:
    return msgspec.json.encode(options).decode()
