"""One recorded call as a case: what was asked, with identifiers masked, and the answer that is expected."""

from collections.abc import Sequence
from hashlib import blake2b

from trimtab.core import Api, Feedback, JournalEntry
from trimtab.core.answer_text import answer_text
from trimtab.core.errors import InvalidRequest
from trimtab.core.messages import WireRequest, text_of
from trimtab.evaluation import Case, Message
from trimtab.workloads import redact

NOT_KEPT = "calls whose content was not kept"
NOT_PLAIN = "calls that are not plain text"
NO_TEXT = "calls whose answer has no text"
JUDGED_WRONG = "calls whose answer was judged wrong"
MASK = "[REDACTED:"
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


class NoCase(Exception):
    """The call makes no case; the reason is the one it is counted under."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def case_of(entry: JournalEntry, stratum: str, judgements: Sequence[Feedback], min_quality: float) -> Case:
    """Return the call as a case.

    The answer that was given is the one that is expected; where somebody judged it, it must have been judged good. The
    tags ``expected:judged`` and ``expected:recorded`` tell both apart, for the second kind measures agreement with the
    recorded model, and not whether it was right.

    Args:
        entry: The call with its bodies.
        stratum: Of the case.
        judgements: Of its answer.
        min_quality: Mean judgement from which the answer is good, 0 to 1.

    Raises:
        NoCase: its content is gone, is no plain text, or was judged wrong.
    """
    call = entry.call
    if entry.request_body is None or entry.response_body is None:
        raise NoCase(NOT_KEPT)
    messages = _asked(Api(call.api), entry.request_body)
    expected = answer_text(Api(call.api), entry.response_body)
    if expected is None or not expected.strip():
        raise NoCase(NO_TEXT)
    scores = [judgement.score_fraction for judgement in judgements]
    if call.quality_fraction is not None:
        scores.append(call.quality_fraction)
    if scores and sum(scores) / len(scores) < min_quality:
        raise NoCase(JUDGED_WRONG)
    cluster = () if call.conversation_id is None else (f"cluster:{_pseudonym(call.conversation_id)}",)
    return Case(
        case_id=call.call_id,
        messages=tuple(Message(role=turn.role, content=redact(turn.content)) for turn in messages),
        expected=redact(expected),
        stratum=stratum,
        task_type=call.task_type,
        tags=("expected:judged" if scores else "expected:recorded", *cluster),
    )


def _pseudonym(conversation_id: str) -> str:
    """Return a name for a conversation: its own may be a caller's, and name a person."""
    return blake2b(conversation_id.encode(), digest_size=8).hexdigest()


def is_masked(case: Case) -> bool:
    """Return whether something was masked in it, here or when it was recorded."""
    return MASK in case.expected or any(MASK in message.content for message in case.messages)


def _asked(api: Api, body: bytes) -> list[Message]:
    try:
        request = WireRequest(api, body)
        turns = [_turn(message) for message in request.messages]
        system = request.system_text if api is Api.MESSAGES else ""
    except InvalidRequest as exc:
        raise NoCase(NOT_PLAIN) from exc
    return [*([Message(role="system", content=system)] if system else []), *turns]


def _turn(message: dict[str, object]) -> Message:
    role, content = _ROLES.get(str(message.get("role"))), message.get("content")
    parts = content if isinstance(content, list) else []
    if role is None or message.get("tool_calls") or not all(_is_text(part) for part in parts):
        raise NoCase(NOT_PLAIN)
    return Message(role=role, content=text_of(content))  # type: ignore[arg-type]  # one of the three that `_ROLES` has


def _is_text(part: object) -> bool:
    return isinstance(part, str) or (isinstance(part, dict) and part.get("type") == "text")
