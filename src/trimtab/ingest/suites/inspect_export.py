"""A run as an Inspect AI log, for its viewer and its tools."""

from collections.abc import Mapping
from typing import Any

from trimtab.core import from_nano_usd, to_datetime
from trimtab.evaluation import Answer, Case, CaseResult, Run

_Json = dict[str, Any]  # Any: JSON of another tool


def inspect_log_of(run: Run, cases: Mapping[str, Case]) -> _Json:
    """Return a run in the form of Inspect's JSON logs (version 2).

    A repeated sample is an epoch, a case without an answer a sample with an error. An answer that nobody could grade
    has no score. Stratum, task type and cluster stand in the metadata, where ``eval suite import`` finds them again.

    Args:
        run: What to export.
        cases: The suite's cases by id, all of the run's.
    """
    created = to_datetime(run.started_at_us).isoformat()
    scorer = run.scorer
    n_samples = max((result.sample for result in run.results), default=0) + 1
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "run_id": run.run_id or run.suite_digest[:22],
            "created": created,
            "task": run.suite_name,
            "task_id": run.suite_digest[:22],
            "task_version": 0,
            "model": _inspect_name(run),
            "dataset": {"name": run.suite_name, "samples": len(cases), "sample_ids": list(cases)},
            "config": {"epochs": n_samples},
            "metadata": {"suite_digest": run.suite_digest, "suite_version": run.suite_version, **_known(run)},
        },
        "plan": {"name": "plan", "steps": [], "config": {}},
        "results": {
            "total_samples": len(run.results),
            "completed_samples": len(run.results) - run.n_failed,
            "scores": [{"name": scorer, "scorer": scorer, "params": {}, "metrics": _metrics(run)}],
        },
        "stats": {"started_at": created, "completed_at": created, "model_usage": {}},
        "samples": [_sample(result, cases[result.case_id], run) for result in run.results],
    }


def _known(run: Run) -> _Json:
    known = {"model_digest": run.model_digest, **run.options}
    return {name: value for name, value in known.items() if value is not None}


def _metrics(run: Run) -> _Json:
    scores = [result.score for result in run.results if result.score is not None]
    return {"mean": {"name": "mean", "value": sum(scores) / len(scores), "params": {}}} if scores else {}


def _sample(result: CaseResult, case: Case, run: Run) -> _Json:
    turns = [{"role": message.role, "content": message.content} for message in case.messages]
    metadata = {"stratum": case.stratum, "task_type": case.task_type, "tags": list(case.tags)}
    return {
        "id": case.case_id,
        "epoch": result.sample + 1,
        "input": case.messages[0].content if len(turns) == 1 and turns[0]["role"] == "user" else turns,
        "target": case.expected,
        "messages": turns,
        "metadata": metadata if case.cluster is None else {**metadata, "cluster": case.cluster},
        "store": {},
        "events": [],
        "model_usage": {},
        "attachments": {},
        **_outcome(result, turns, run),
    }


def _outcome(result: CaseResult, turns: list[dict[str, str]], run: Run) -> _Json:
    answer, model = result.answer, _inspect_name(run)
    if answer is None:
        error = {"message": result.error or "no answer", "traceback": "", "traceback_ansi": ""}
        return {"error": error, "output": {"model": model, "choices": []}}
    said = {"role": "assistant", "content": answer.text, "source": "generate"}
    usage = _usage(answer)
    found: _Json = {
        "messages": [*turns, said],
        "output": {
            "model": model,
            "choices": [{"message": said, "stop_reason": "stop"}],
            "completion": answer.text,
            "usage": usage,
        },
        "model_usage": {} if usage is None else {model: usage},
    }
    if answer.latency_ms is not None:
        found["total_time"] = found["working_time"] = answer.latency_ms / 1_000
    if result.score is not None:
        found["scores"] = {run.scorer: {"value": result.score, "answer": answer.text, "explanation": result.why}}
    return found


def _usage(answer: Answer) -> _Json | None:
    if answer.input_tokens is None or answer.output_tokens is None:
        return None
    total = answer.input_tokens + answer.output_tokens
    usage: _Json = {
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "total_tokens": total,
    }
    if answer.cost_nano_usd is not None:
        usage["total_cost"] = float(from_nano_usd(answer.cost_nano_usd))
    return usage


def _inspect_name(run: Run) -> str:
    return run.model.replace(":", "/", 1)
