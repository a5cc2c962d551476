"""What a model can do, by asking it to: JSON by a schema, a tool call, log-probabilities, a long prompt."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from trimtab.catalog import ProbedCapability, ProbedContext
from trimtab.serving.http import NoAnswer

NEAR_SHARES, ABOVE_SHARE = (0.9, 0.75), 1.25
"""Of the declared context: how many characters make a token varies a little, so the first try may be too long."""
_COLOURS = ("red", "green", "blue")
_SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": list(_COLOURS)}, "is_warm": {"type": "boolean"}},
    "required": ["colour", "is_warm"],
    "additionalProperties": False,
}
_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Return the weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
_REASON_CHARS = 160


class Check(NamedTuple):
    """One capability with the call that tries it."""

    capability: str
    prompt: str
    fields: Mapping[str, object]
    max_tokens: int
    judge: Callable[[Any], str | None]
    """Returns what was wrong with an answer; ``None`` when it was right."""


def _judge_json(answer: Any) -> str | None:  # Any: JSON of the server, here and below
    text = str(answer["choices"][0]["message"]["content"] or "")
    try:
        found = json.loads(text)
    except ValueError:
        return "the answer was no JSON"
    if not isinstance(found, dict) or set(found) != {"colour", "is_warm"}:
        return "the answer was JSON of another shape"
    fits = found["colour"] in _COLOURS and isinstance(found["is_warm"], bool)
    return None if fits else "the answer's values break the schema"


def _judge_tools(answer: Any) -> str | None:
    calls = answer["choices"][0]["message"].get("tool_calls")
    if not calls:
        return "the answer called no tool"
    function = calls[0]["function"]
    if function["name"] != "get_weather":
        return "the answer called a tool that was not offered"
    try:
        arguments = json.loads(function["arguments"])
    except ValueError:
        return "the tool's arguments were no JSON"
    has_city = isinstance(arguments, dict) and isinstance(arguments.get("city"), str)
    return None if has_city else "the tool's arguments break its schema"


def _judge_logprobs(answer: Any) -> str | None:
    found = answer["choices"][0].get("logprobs")
    return None if found and found.get("content") else "the answer carried none"


CHECKS = (
    Check(
        "json_schema",
        "Name a colour as JSON.",
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "colour", "strict": True, "schema": _SCHEMA},
            }
        },
        128,
        _judge_json,
    ),
    Check("tools", "What is the weather in Paris? Use the tool.", {"tools": [_TOOL]}, 128, _judge_tools),
    Check("logprobs", "Say yes.", {"logprobs": True}, 1, _judge_logprobs),
)


def judged(check: Check, answer: Any) -> ProbedCapability:
    """Return whether an answer shows the capability."""
    try:
        wrong = check.judge(answer)
    except (KeyError, IndexError, TypeError, AttributeError):
        wrong = "the answer is no chat completion"
    return ProbedCapability(
        capability=check.capability, holds=wrong is None, reason=wrong or "tried, and the answer fits"
    )


def refused(check: Check, exc: NoAnswer) -> ProbedCapability:
    """Return that the server refused to try, or that it failed, which shows nothing."""
    holds = False if exc.status is not None and 400 <= exc.status < 600 and exc.status not in {401, 403, 429} else None
    return ProbedCapability(capability=check.capability, holds=holds, reason=shortened(exc.message))


def not_tried(check: Check, reason: str) -> ProbedCapability:
    """Return that nothing is known."""
    return ProbedCapability(capability=check.capability, holds=None, reason=reason)


def context_found(
    declared_tokens: int, accepted: int | None, near: NoAnswer | None, above: NoAnswer | int | None
) -> ProbedContext:
    """Return what two long calls say of the context.

    Args:
        declared_tokens: By the engine or the card.
        accepted: Input tokens of the call near it, as the server counted them; ``None`` when it failed.
        near: How that one failed.
        above: How the one beyond it failed, as it should; or the input tokens that the server says it read.
    """
    if near is not None:
        reason = f"an input near it failed: {shortened(near.message)}"
        return ProbedContext(declared_tokens=declared_tokens, reason=reason)
    is_refused = None if above is None else isinstance(above, NoAnswer) and above.status in {400, 413, 422}
    if isinstance(above, NoAnswer):
        reason = shortened(above.message)
    elif above is None:
        reason = "a longer input was not tried"
    elif above > declared_tokens:
        reason = f"an input of {above:,} tokens was answered: more fits than is declared"
    else:
        reason = f"a longer input was answered as if it had {above:,} tokens: it is cut without a word"
    return ProbedContext(
        declared_tokens=declared_tokens, accepted_tokens=accepted, is_refused_above=is_refused, reason=reason
    )


def shortened(text: str) -> str:
    """Return the beginning of a long message, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _REASON_CHARS else line[: _REASON_CHARS - 1] + "…"
