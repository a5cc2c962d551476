"""One sample of an Inspect log: what was asked, what was expected, what came back, and how it was graded."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from trimtab.core import to_nano_usd
from trimtab.evaluation import Answer, Case, Message, Outcome, ScorerSpec, user_prompt
from trimtab.ingest.suites.imported import SuiteOptions

STRATUM_KEYS = ("stratum", "category", "subject", "subset", "topic")
"""Metadata that is taken for the stratum unless a key is named, the first that is there."""
MAPPED_KEYS = ("stratum", "task_type", "tags", "cluster")
"""Fields of a case that metadata can give."""
_WORDS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0, "yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0}
"""Inspect's own words for correct, incorrect, partial and no answer, and those that its metrics read likewise."""
_ATTACHMENT = ("attachment://", "tc://")
_Json = Mapping[str, Any]  # Any: JSON of another tool


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a sample that is read; what is not there has its default."""

    id: str | int
    epoch: int = 1
    input: str | list[_Json]
    target: str | list[str] = ""
    choices: list[str] | None = None
    messages: list[_Json] = []
    output: _Json = {}
    scores: Mapping[str, _Json] | None = None
    score: _Json | None = None
    """Of logs from the time of one scorer a task."""
    metadata: _Json = {}
    model_usage: Mapping[str, _Json] = {}
    working_time: float | None = None
    """Seconds."""
    error: _Json | None = None
    attachments: Mapping[str, str] = {}


def read_sample(raw: object) -> Sample:
    """Return a sample.

    Raises:
        ValueError: it is none.
    """
    if isinstance(raw, ValueError):
        raise raw
    try:
        return msgspec.convert(raw, Sample)
    except msgspec.ValidationError as exc:
        raise ValueError(f"no sample of an Inspect log: {exc}") from exc


def case_of(sample: Sample, task: str, options: SuiteOptions) -> Case:
    """Return what was asked and expected.

    Raises:
        ValueError: it was not text alone, or nothing was expected.
    """
    targets = [sample.target] if isinstance(sample.target, str) else sample.target
    targets = [target.strip() for target in targets if target.strip()]
    if not targets:
        raise ValueError(f"sample {sample.id!r} has no target")
    keys, metadata = options.mapping, sample.metadata
    tags = [f"{key}:{metadata[key]}" for key in keys.get("tags", "").split(",") if key in metadata]
    if (cluster := metadata.get(keys.get("cluster", ""))) is not None:
        tags.append(f"cluster:{cluster}")
    return Case(
        case_id=str(sample.id),
        messages=_asked(sample),
        expected="\n".join(targets),
        stratum=_stratum(sample, options) or options.stratum or task,
        scorer=ScorerSpec(name="contains", options={"require": "any"}) if len(targets) > 1 else None,
        task_type=str(metadata.get(keys.get("task_type", "task_type"), "unknown")),
        tags=tuple(tags),
    )


def outcome_of(sample: Sample, scorer: str | None, model: str) -> Outcome:
    """Return what the model made of it.

    Args:
        sample: The sample.
        scorer: Whose score counts; ``None`` for a log without any.
        model: As the log names it.

    Raises:
        ValueError: the score is no number between 0 and 1.
    """
    choices = sample.output.get("choices") or ()
    if not choices and sample.error is not None:
        return Outcome(error="sample_error")
    text = sample.output.get("completion") or (_text(choices[0].get("message", {}), sample) if choices else "")
    found = _score_of(sample, scorer)
    why = None if found is None else found.get("explanation")
    return Outcome(
        answer=_answer(sample, str(text), model),
        score=None if found is None else score_value(found.get("value")),
        why=why if isinstance(why, str) else None,
    )


def score_value(value: object) -> float | None:
    """Return Inspect's verdict as a fraction; ``None`` where it gave none.

    Raises:
        ValueError: it is no number between 0 and 1, such as one grade for each of several aspects.

    >>> score_value("C"), score_value(0.25), score_value(True), score_value(float("nan"))
    (1.0, 0.25, 1.0, None)
    """
    if isinstance(value, str):
        value = _WORDS.get(value, _WORDS.get(value.lower(), value))
    try:
        number = float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        raise ValueError(f"the score is {str(value)[:40]!r}, not one number") from None
    if math.isnan(number):
        return None
    if not 0 <= number <= 1:
        raise ValueError(f"the score is {number:g}, not between 0 and 1")
    return number


def _score_of(sample: Sample, scorer: str | None) -> _Json | None:
    if sample.scores is None:
        return sample.score
    return None if scorer is None else sample.scores.get(scorer)


def _stratum(sample: Sample, options: SuiteOptions) -> str:
    named = options.mapping.get("stratum")
    for key in STRATUM_KEYS if named is None else (named,):
        value = sample.metadata.get(key)
        if value is not None and str(value).strip():
            return str(value).strip()
    return ""


def _asked(sample: Sample) -> tuple[Message, ...]:
    """Return the conversation as the model saw it, where the log has that, else the sample's own input."""
    said = [message.get("source") == "generate" for message in sample.messages]
    before = sample.messages[: said.index(True)] if True in said else []
    if before and before[-1].get("role") == "user":
        return tuple(_message(message, sample) for message in before)
    choices = "".join(f"\n{chr(65 + place)}) {text}" for place, text in enumerate(sample.choices or ()))
    if isinstance(sample.input, str):
        return user_prompt(_resolved(sample.input, sample) + choices)
    turns = [_message(message, sample) for message in sample.input]
    if choices and turns:
        turns[-1] = Message(role=turns[-1].role, content=turns[-1].content + choices)
    return tuple(turns)


def _message(message: _Json, sample: Sample) -> Message:
    role = message.get("role")
    if role not in ("system", "user", "assistant"):
        raise ValueError(f"sample {sample.id!r} has a turn of {role!r}; only plain conversations become cases")
    return Message(role=role, content=_text(message, sample))


def _text(message: _Json, sample: Sample) -> str:
    content = message.get("content", "")
    if isinstance(content, str):
        return _resolved(content, sample)
    parts: Sequence[_Json] = content if isinstance(content, list) else ()
    for part in parts:
        if part.get("type") not in ("text", "reasoning"):
            raise ValueError(f"sample {sample.id!r} has a part of type {part.get('type')!r}; only text becomes a case")
    return "\n".join(_resolved(str(part["text"]), sample) for part in parts if part.get("type") == "text")


def _resolved(text: str, sample: Sample) -> str:
    """Put back a long text that the log keeps once."""
    prefix = next((prefix for prefix in _ATTACHMENT if text.startswith(prefix)), None)
    return text if prefix is None else sample.attachments.get(text.removeprefix(prefix), text)


def _answer(sample: Sample, text: str, model: str) -> Answer:
    usage = sample.model_usage.get(model) or sample.output.get("usage") or {}
    input_tokens, output_tokens = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    cached = (_count(usage, "input_tokens_cache_read") or 0) + (_count(usage, "input_tokens_cache_write") or 0)
    total = _count(usage, "total_tokens")
    if input_tokens is not None and output_tokens is not None and total == input_tokens + output_tokens + cached:
        input_tokens += cached  # some providers count cached tokens apart; here they are part of the input
    cost, seconds = usage.get("total_cost"), sample.output.get("time")
    if not isinstance(seconds, int | float):
        seconds = sample.working_time
    return Answer(
        text=text,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        latency_ms=None if seconds is None else seconds * 1000,
        cost_nano_usd=to_nano_usd(Decimal(repr(cost))) if isinstance(cost, int | float) else None,
    )


def _count(usage: _Json, name: str) -> int | None:
    value = usage.get(name)
    return value if isinstance(value, int) and value >= 0 else None
