"""Answers that must be JSON of a certain shape, as a JSON Schema describes it."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.case import Case
from trimtab.evaluation.scoring.json_rule import no_json
from trimtab.evaluation.scoring.json_values import find_json
from trimtab.evaluation.scoring.needed import load
from trimtab.evaluation.scoring.options import Options, spec_of
from trimtab.evaluation.scoring.patterns import PatternInvalid, compiled
from trimtab.evaluation.scoring.scorer import RuleScorer, Score, right_if, ungraded

NAME = "json_schema"


class JsonSchemaOptions(Options, frozen=True, kw_only=True):
    """Options of ``json_schema``."""

    schema: str | None = None
    """JSON Schema as text, for every case; ``None`` for each case's expected text."""
    alone: bool = False
    """Whether the answer must be JSON and nothing else; otherwise a fenced block or JSON within prose will do."""


class _Unusable(Exception):
    """A schema that cannot be checked against."""


def json_schema(options: JsonSchemaOptions) -> RuleScorer:
    """Return the scorer that validates.

    Raises:
        ConfigurationError: jsonschema is not installed, or the option's schema is none.
    """
    broken = (ArithmeticError, RecursionError, PatternInvalid, load("referencing.exceptions", scorer=NAME).Unresolvable)
    if options.schema is not None:
        _check(options.schema)

    def rule(case: Case, answer: str) -> Score:
        found = find_json(answer, alone=options.alone, numbers="binary")
        try:
            validator = _validator(case.expected if options.schema is None else options.schema)
            if found is None:
                return no_json(alone=options.alone)
            error = next(validator.iter_errors(found.value), None)
        except _Unusable as exc:
            return ungraded(str(exc))
        except broken as exc:
            return ungraded(f"the schema cannot be checked: {type(exc).__name__}")
        return right_if(error is None, _said(error))

    return RuleScorer(
        spec=spec_of(NAME, options),
        meaning="1 when the answer's JSON is valid under the schema, otherwise 0; higher is better",
        rule=rule,
        is_binary=True,
    )


def _check(schema: str) -> None:
    try:
        _validator(schema)
    except _Unusable as exc:
        raise ConfigurationError(
            f"Scorer 'json_schema' cannot use its option 'schema': {exc}.", hint="Give a JSON Schema as JSON text."
        ) from exc


@lru_cache(maxsize=64)
def _validator(text: str) -> Any:  # Any: jsonschema is loaded late
    """Return the checker of a schema. References to other documents are not followed: nothing is fetched."""
    jsonschema = load("jsonschema", scorer=NAME)
    schema = find_json(text, alone=True, numbers="binary")
    if schema is None or not isinstance(schema.value, (dict, bool)):
        raise _Unusable("what should be a JSON Schema is no JSON object")
    kind = jsonschema.validators.validator_for(schema.value, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema.value)
    except jsonschema.SchemaError as exc:
        raise _Unusable(f"it is no JSON Schema: {exc.message[:200]} at {exc.json_path}") from exc
    linear = jsonschema.validators.extend(kind, {"pattern": _pattern, "patternProperties": _pattern_properties})
    return linear(schema.value, registry=load("referencing", scorer=NAME).Registry())


def _said(error: Any) -> str:  # Any: jsonschema is loaded late
    return "" if error is None else f"{error.json_path}: {error.message[:200]}"


def _pattern(validator: Any, pattern: str, instance: object, schema: object) -> Iterator[Exception]:  # Any: late
    """Check ``pattern`` with RE2: a pattern that the standard engine never finishes would stop the run."""
    jsonschema = load("jsonschema", scorer=NAME)
    if isinstance(instance, str) and not _is_found(pattern, instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any,  # Any: jsonschema is loaded late
    patterns: Mapping[str, object],
    instance: object,
    schema: object,
) -> Iterator[Exception]:
    if isinstance(instance, dict):
        for pattern, inner in patterns.items():
            for key, value in instance.items():
                if _is_found(pattern, key):
                    yield from validator.descend(value, inner, path=key, schema_path=pattern)


def _is_found(pattern: str, text: str) -> bool:
    return compiled(pattern).search(text.encode("utf-8", "replace")) is not None
