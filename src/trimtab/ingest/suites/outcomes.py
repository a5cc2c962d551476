"""Recorded outcomes as a suite: one row a prompt and model becomes a case, and one run a model.

The columns are those of ``trimtab.ingest.outcomes``, so that a file feeds the journal, a recorded provider and a suite.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import yaml

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import (
    Answer,
    Case,
    Outcome,
    Run,
    ScorerSpec,
    Suite,
    SuiteDraft,
    are_binary,
    recorded_run,
    recorded_scorer,
    user_prompt,
)
from trimtab.ingest.building import model_name
from trimtab.ingest.fields import FieldError, Fields
from trimtab.ingest.files import RawRow, read_rows
from trimtab.ingest.outcomes import PROVIDER, prompt_id_of
from trimtab.ingest.suites.imported import ImportedSuite, SuiteOptions

OUTCOME_FIELDS = ("stratum", "expected", "cluster", "context")
"""Fields of a case that a column can be named for; the others have fixed columns."""
OTHER_DATASET = "of another dataset"
OTHER_MODEL = "of another model"
NOT_BY_ALL = "prompts that not every model has a score for"
NO_GROUP = "in a stratum that --group leaves out"
_ELSE = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeChoice:
    """Which of the outcomes are taken, and what their strata are called."""

    datasets: frozenset[str] | None = None
    """``None`` for all."""
    models: tuple[str, ...] | None = None
    """As the file names them; ``None`` for all, in the order in which they come."""
    pattern: re.Pattern[str] | None = None
    """Cuts the stratum out of its column: the first group, or the whole match."""
    groups: Mapping[str, str] | None = None
    """What is found there to the stratum; what it does not name is left out."""


@dataclass(slots=True)
class _Prompts:
    """What was read so far. Texts that come twice are kept once."""

    cases: dict[str, tuple[Case, int, str]] = field(default_factory=dict)
    """With line and file."""
    outcomes: dict[str, dict[str, Outcome]] = field(default_factory=dict)
    """By model and case."""
    left_out: Counter[str] = field(default_factory=Counter)
    models: set[str] = field(default_factory=set)
    """In the files, chosen or not."""


def read_outcome_suite(paths: Sequence[Path], options: SuiteOptions, choice: OutcomeChoice) -> ImportedSuite:
    """Read recorded outcomes.

    The suite has the prompts for which every chosen model has a score: what nobody recorded is no wrong answer. Where
    a prompt and model come twice the first row counts, as in an import of calls.

    Args:
        paths: The files, read as one.
        options: Their mapping names the columns of ``OUTCOME_FIELDS``; the stratum is the dataset by default.
        choice: What is taken of them.

    Raises:
        ConfigurationError: a file cannot be read, or a chosen model is in none of them.
    """
    draft, prompts = SuiteDraft(str(paths[0])), _Prompts()
    for path in paths:
        for raw in read_rows(path):
            try:
                if not isinstance(raw, RawRow):
                    raise FieldError(raw.reason)
                _take(Fields(raw.row), raw.place.line, str(path), prompts, options, choice)
            except FieldError as exc:
                draft.refuse(str(exc), raw.place.line, file=str(path))
    models = _models(prompts, choice)
    for case_id, (case, line, file) in prompts.cases.items():
        if all(case_id in prompts.outcomes[model] for model in models):
            draft.add(case, line, file=file)
        else:
            prompts.left_out[NOT_BY_ALL] += 1
    scorer = options.scorer or recorded_scorer()
    reading = draft.reading(options.name, options.version, msgspec.structs.replace(options.plan, scorer=scorer))
    runs = () if reading.suite is None else tuple(_runs(reading.suite, models, prompts, paths, options))
    return ImportedSuite(reading=reading, runs=runs, left_out=prompts.left_out, notes=_notes(reading.suite, scorer))


def read_groups(path: Path) -> dict[str, str]:
    """Return the group of each stratum from a YAML file with a line ``group: [stratum, ...]`` for each.

    Raises:
        ConfigurationError: the file cannot be read, is none, or puts a stratum in two groups.
    """
    try:
        groups = msgspec.convert(yaml.safe_load(path.read_text()), dict[str, list[str]])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError) as exc:
        raise ConfigurationError(
            f"The groups of strata in {path} cannot be read: {exc}.",
            hint="Write lines such as `stem: [physics, maths]`.",
        ) from exc
    found: dict[str, str] = {}
    for group, strata in groups.items():
        for stratum in strata:
            if found.setdefault(stratum, group) != group:
                raise ConfigurationError(f"{path} puts stratum {stratum!r} in two groups.", hint="Keep it in one.")
    return found


def _take(row: Fields, line: int, file: str, prompts: _Prompts, options: SuiteOptions, choice: OutcomeChoice) -> None:
    model, dataset = row.required_name("model"), row.name("dataset")
    prompts.models.add(model)
    if choice.datasets is not None and dataset not in choice.datasets:
        prompts.left_out[OTHER_DATASET] += 1
        return
    if choice.models is not None and model not in choice.models:
        prompts.left_out[OTHER_MODEL] += 1
        return
    case_id = prompt_id_of(row)
    if case_id not in prompts.cases:
        case = _case(row, case_id, dataset, options, choice)
        if case is None:
            prompts.left_out[NO_GROUP] += 1
            return
        prompts.cases[case_id] = (case, line, file)
    outcome = _outcome(row)
    of_model = prompts.outcomes.setdefault(model, {})
    if outcome.score is not None and case_id not in of_model:
        of_model[case_id] = outcome


def _case(row: Fields, case_id: str, dataset: str | None, options: SuiteOptions, choice: OutcomeChoice) -> Case | None:
    prompt = row.text("prompt")
    if prompt is None:
        raise FieldError("prompt is missing, and a case without a question asks nothing")
    stratum = _stratum(row, dataset, options, choice)
    if choice.groups is not None:
        if stratum not in choice.groups:
            return None
        stratum = choice.groups[stratum]
    columns = options.mapping
    cluster = row.name(columns["cluster"]) if "cluster" in columns else None
    return Case(
        case_id=case_id,
        messages=user_prompt(prompt),
        expected=row.text(columns.get("expected", "expected")) or "",
        stratum=stratum,
        context=row.text(columns.get("context", "context")) or "",
        task_type=row.name("task_type") or "unknown",
        tags=() if cluster is None else (f"cluster:{cluster}",),
    )


def _stratum(row: Fields, dataset: str | None, options: SuiteOptions, choice: OutcomeChoice) -> str:
    column = options.mapping.get("stratum")
    if column is None and choice.pattern is None:
        return dataset or options.stratum or _ELSE
    text = row.name(column or "prompt_id") or ""
    if choice.pattern is None:
        return text or options.stratum or _ELSE
    match = choice.pattern.search(text)
    if match is not None:
        return (match[1] if match.re.groups else match[0]) or ""
    if options.stratum is None:
        raise FieldError(f"{column or 'prompt_id'} {text[:60]!r} does not fit the pattern of strata")
    return options.stratum


def _outcome(row: Fields) -> Outcome:
    return Outcome(
        answer=Answer(
            text=row.text("response_text", "answer") or "",
            input_tokens=row.count("input_tokens"),
            output_tokens=row.count("output_tokens"),
            latency_ms=row.duration("latency_ms"),
            cost_nano_usd=row.nano_usd("cost_usd"),
        ),
        score=row.fraction("score", "quality_fraction"),
    )


def _models(prompts: _Prompts, choice: OutcomeChoice) -> tuple[str, ...]:
    if choice.models is None:
        return tuple(prompts.outcomes)
    for model in choice.models:
        if model not in prompts.outcomes:
            there = ", ".join(sorted(prompts.models)[:20])
            raise ConfigurationError(
                f"There is no outcome of model {model!r} among the chosen rows.", hint=f"In the files: {there}."
            )
    return choice.models


def _runs(
    suite: Suite, models: Sequence[str], prompts: _Prompts, paths: Sequence[Path], options: SuiteOptions
) -> Iterator[Run]:
    kept = {model: {case.case_id: [prompts.outcomes[model][case.case_id]] for case in suite.cases} for model in models}
    is_binary = are_binary(outcome for found in kept.values() for (outcome,) in found.values())
    for model, outcomes in kept.items():
        yield recorded_run(
            suite,
            outcomes,
            model=model_name(model, options.provider or PROVIDER),
            scorer=recorded_scorer(),
            is_binary=is_binary,
            options={"recorded_from": ", ".join(path.name for path in paths)},
            started_at_us=options.at_us,
        )


def _notes(suite: Suite | None, scorer: ScorerSpec) -> tuple[str, ...]:
    if suite is None or scorer.name != recorded_scorer().name:
        return ()
    n_known = sum(bool(case.expected) for case in suite.cases)
    if n_known:
        return (f"{n_known:,} cases have an expected answer; name a --scorer to grade new answers by it.",)
    return ("No case has an expected answer, so the recorded runs can be compared and no new one can be made.",)
