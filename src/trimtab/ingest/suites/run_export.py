"""A run as a table: one row for each case and sample."""

from collections.abc import Iterator, Mapping

from trimtab.evaluation import Answer, Case, Run
from trimtab.ingest.fields import Value
from trimtab.ingest.flat import Kind

RUN_COLUMNS: dict[str, Kind] = {
    "suite": "text",
    "suite_digest": "text",
    "model": "text",
    "model_digest": "text",
    "scorer": "text",
    "case_id": "text",
    "sample": "count",
    "stratum": "text",
    "task_type": "text",
    "cluster": "text",
    "score": "number",
    "why": "text",
    "error": "text",
    "input_tokens": "count",
    "output_tokens": "count",
    "latency_ms": "number",
    "ttft_ms": "number",
    "cost_nano_usd": "count",
    "grading_cost_nano_usd": "count",
    "energy_wh": "number",
    "call_id": "text",
    "prompt": "text",
    "expected": "text",
    "answer": "text",
}
"""Names and kinds. ``prompt``, the last turn, and ``expected`` are empty where the suite is not at hand."""
_NO_ANSWER = Answer(text="")


def run_rows(run: Run, cases: Mapping[str, Case]) -> Iterator[dict[str, Value]]:
    """Yield a row for each result, in the run's order; what is unknown is ``None``."""
    for result in run.results:
        answer, case = result.answer or _NO_ANSWER, cases.get(result.case_id)
        yield {
            "suite": run.suite_name,
            "suite_digest": run.suite_digest,
            "model": run.model,
            "model_digest": run.model_digest,
            "scorer": run.scorer,
            "case_id": result.case_id,
            "sample": result.sample,
            "stratum": result.stratum,
            "task_type": result.task_type,
            "cluster": result.cluster,
            "score": result.score,
            "why": result.why,
            "error": result.error,
            "input_tokens": answer.input_tokens,
            "output_tokens": answer.output_tokens,
            "latency_ms": answer.latency_ms,
            "ttft_ms": answer.ttft_ms,
            "cost_nano_usd": answer.cost_nano_usd,
            "grading_cost_nano_usd": result.grading_cost_nano_usd,
            "energy_wh": answer.energy_wh,
            "call_id": answer.call_id,
            "prompt": None if case is None else case.messages[-1].content,
            "expected": None if case is None else case.expected,
            "answer": None if result.answer is None else answer.text,
        }
