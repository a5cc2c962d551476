"""Results of evaluations as rows and back."""

from typing import Any, NamedTuple

from sqlalchemy import RowMapping

from trimtab.evaluation import Answer, CaseResult
from trimtab.store.rows import clean, to_ms, to_us


class Recorded(NamedTuple):
    """One result, and what the store keeps beside it."""

    result: CaseResult
    request_digest: str
    """What decides the answer; the cache looks it up."""
    is_scored: bool = True
    """Whether its scorer has spoken; an answer that waits for one is not asked for again."""


def row_of_result(run_id: str, recorded: Recorded) -> tuple[Any, ...]:  # Any: column values of every type
    """Return the result as a row, in the order of the columns.

    Raises:
        ValueError: a duration is no number.
    """
    result, answer = recorded.result, recorded.result.answer
    said = _NOTHING if answer is None else answer
    return (
        run_id,
        clean(result.case_id),
        result.sample,
        clean(result.stratum),
        recorded.request_digest,
        None if answer is None else answer.text.encode("utf-8", "surrogatepass"),
        clean(said.model),
        clean(said.call_id),
        clean(said.finish_reason),
        said.input_tokens,
        said.output_tokens,
        to_us(said.latency_ms),
        to_us(said.ttft_ms),
        said.cost_nano_usd,
        said.energy_wh,
        result.seed,
        result.is_cached,
        result.n_tries,
        clean(result.error),
        recorded.is_scored,
        result.score,
        clean(result.why),
        result.grading_cost_nano_usd,
    )


def recorded_of(row: RowMapping) -> Recorded:
    """Return what :func:`row_of_result` was given; durations to the microsecond."""
    result = CaseResult(
        case_id=row["case_id"],
        stratum=row["stratum"],
        answer=None if row["answer"] is None else answer_of(row),
        score=row["score"],
        why=row["why"],
        error=row["error_code"],
        sample=row["sample"],
        seed=row["seed"],
        is_cached=bool(row["is_cached"]),
        n_tries=row["n_tries"],
        grading_cost_nano_usd=row["grading_cost_nano_usd"],
    )
    return Recorded(result, row["request_digest"], bool(row["is_scored"]))


def answer_of(row: RowMapping) -> Answer:
    """Return the answer of a row that has one."""
    return Answer(
        text=bytes(row["answer"]).decode("utf-8", "surrogatepass"),
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        latency_ms=to_ms(row["latency_us"]),
        ttft_ms=to_ms(row["ttft_us"]),
        cost_nano_usd=row["cost_nano_usd"],
        energy_wh=row["energy_wh"],
        call_id=row["call_id"],
        model=row["answered_by"],
        finish_reason=row["finish_reason"],
    )


_NOTHING = Answer(text="")
