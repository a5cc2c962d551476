"""Inspect AI logs as a suite with recorded runs: what was asked becomes cases, what each log answered a run."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from trimtab.evaluation import (
    Case,
    Option,
    Outcome,
    Run,
    ScorerSpec,
    Suite,
    SuiteDraft,
    are_binary,
    recorded_run,
    recorded_scorer,
)
from trimtab.ingest.building import model_name
from trimtab.ingest.fields import FieldError, Fields
from trimtab.ingest.suites.imported import ImportedSuite, SuiteOptions
from trimtab.ingest.suites.inspect_file import open_inspect_log
from trimtab.ingest.suites.inspect_sample import case_of, outcome_of, read_sample

OUR_SCORERS: Mapping[str, ScorerSpec] = {
    "exact": ScorerSpec(name="normalised_match"),
    "includes": ScorerSpec(name="contains"),
    "match": ScorerSpec(name="contains"),
    "choice": ScorerSpec(name="multiple_choice"),
    "f1": ScorerSpec(name="token_f1"),
}
"""Inspect's scorers to the nearest one here, for runs that are made anew; any other becomes ``normalised_match``."""
NOT_IN_ALL = "not in every log"
ASKED_OTHERWISE = "asked or expected otherwise in another log"
_ELSE = ScorerSpec(name="normalised_match")


@dataclass(slots=True)
class _Log:
    """What one file gave."""

    path: Path
    model: str
    scorer: str | None
    started_at_us: int
    options: dict[str, Option]
    outcomes: dict[str, dict[int, Outcome]] = field(default_factory=dict)
    """By case and epoch."""


def read_inspect_suite(paths: Sequence[Path], options: SuiteOptions, *, score: str | None = None) -> ImportedSuite:
    """Read logs of one task, one a model.

    The suite has the samples that every log has; a sample that ended in an error there is an answer that was not given.
    Epochs are repeated samples of a case.

    Args:
        paths: The logs.
        options: Their mapping is from fields of a case to keys of a sample's metadata.
        score: Which of the logs' scorers counts; ``None`` for each log's first.

    Raises:
        ConfigurationError: a file is no log that can be read.
    """
    draft, logs, left_out = SuiteDraft(str(paths[0])), [], Counter[str]()
    cases: dict[str, Case] = {}
    for path in paths:
        with open_inspect_log(path) as log:
            found = _log(path, log.header, score, options)
            _read(found, log.samples, _task(log.header), options, draft, cases, left_out)
            logs.append(found)
    for case_id, case in cases.items():
        if all(case_id in log.outcomes for log in logs):
            draft.add(case, None)
        else:
            left_out[NOT_IN_ALL] += 1
    scorer = options.scorer or OUR_SCORERS.get((logs[0].scorer or "").rpartition("/")[2], _ELSE)
    reading = draft.reading(options.name, options.version, msgspec.structs.replace(options.plan, scorer=scorer))
    runs = () if reading.suite is None else tuple(_runs(reading.suite, logs))
    return ImportedSuite(reading=reading, runs=runs, left_out=left_out, notes=tuple(_notes(logs, scorer)))


def _read(
    log: _Log,
    samples: Iterator[object],
    task: str,
    options: SuiteOptions,
    draft: SuiteDraft,
    cases: dict[str, Case],
    left_out: Counter[str],
) -> None:
    for number, raw in zip(count(1), samples):
        try:
            sample = read_sample(raw)
            case, outcome = case_of(sample, task, options), outcome_of(sample, log.scorer, _eval_model(log))
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            draft.refuse(str(exc), number, file=str(log.path))
            continue
        epochs = log.outcomes.get(case.case_id, {})
        if sample.epoch in epochs:
            draft.refuse(f"sample {sample.id!r} comes twice in epoch {sample.epoch}", number, file=str(log.path))
        elif cases.setdefault(case.case_id, case) != case:
            left_out[ASKED_OTHERWISE] += 1
        else:
            log.outcomes[case.case_id] = {**epochs, sample.epoch: outcome}


def _eval_model(log: _Log) -> str:
    return str(log.options["inspect_model"])


def _log(path: Path, header: Mapping[str, Any], score: str | None, options: SuiteOptions) -> _Log:
    spec, stats = header["eval"], header.get("stats") or {}
    model = str(spec.get("model") or "unknown")
    try:
        started_at_us = Fields({**stats, "created": spec.get("created")}).instant("started_at", "created")
    except FieldError:
        started_at_us = None
    config = {**((header.get("plan") or {}).get("config") or {}), **(spec.get("model_generate_config") or {})}
    known = {name: value for name, value in config.items() if isinstance(value, str | int | float | bool)}
    return _Log(
        path=path,
        model=model_name(model, options.provider),
        scorer=score or _first_scorer(header),
        started_at_us=options.at_us if started_at_us is None else started_at_us,
        options={**known, "recorded_from": path.name, "inspect_task": _task(header), "inspect_model": model},
    )


def _first_scorer(header: Mapping[str, Any]) -> str | None:
    scores = (header.get("results") or {}).get("scores") or header["eval"].get("scorers") or ()
    return next((str(found["name"]) for found in scores if isinstance(found, dict) and found.get("name")), None)


def _task(header: Mapping[str, Any]) -> str:
    return str(header["eval"].get("task") or "inspect").rpartition("/")[2]


def _runs(suite: Suite, logs: Sequence[_Log]) -> Iterator[Run]:
    kept = [{case.case_id: _by_epoch(log.outcomes[case.case_id]) for case in suite.cases} for log in logs]
    is_binary = are_binary(outcome for found in kept for outcomes in found.values() for outcome in outcomes)
    for log, outcomes in zip(logs, kept, strict=True):
        yield recorded_run(
            suite,
            outcomes,
            model=log.model,
            scorer=recorded_scorer(f"inspect/{log.scorer or 'none'}"),
            is_binary=is_binary,
            options={**log.options, "samples": max(map(len, outcomes.values()))},
            started_at_us=log.started_at_us,
        )


def _by_epoch(outcomes: Mapping[int, Outcome]) -> list[Outcome]:
    return [outcome for _, outcome in sorted(outcomes.items())]


def _notes(logs: Sequence[_Log], scorer: ScorerSpec) -> Iterator[str]:
    for log in logs:
        yield f"{log.path}: {log.model}, scored by {log.scorer or 'nobody'}"
    yield f"Runs made anew are scored by {scorer.name}, which --scorer changes."
