"""Knowing that two calls belong to one conversation."""

import hashlib
import re

from trimtab.core import Api
from trimtab.core.errors import InvalidRequest
from trimtab.core.messages import WireRequest, text_of
from trimtab.workloads.hints import CallHints

_NAME = re.compile(r"[\x21-\x7e]{1,128}")


def conversation_id_of(request: WireRequest, hints: CallHints) -> str | None:
    """Return the conversation that a call belongs to.

    The caller's own name for it wins. Otherwise later turns of one conversation share the application, the instructions
    and the first question, and a digest of these three is its name. A call with one turn has no conversation yet.

    Raises:
        InvalidRequest: the caller's name has spaces, control or non-ASCII characters, or more than 128 characters.
    """
    if hints.conversation is not None:
        if _NAME.fullmatch(hints.conversation) is None:
            raise InvalidRequest(
                "Header x-trimtab-conversation is not 1 to 128 printable ASCII characters without spaces.",
                param="x-trimtab-conversation",
            )
        return hints.conversation
    if request.api is Api.EMBEDDINGS:
        return None
    questions = [message for message in request.messages if message["role"] == "user"]
    has_answer = any(message["role"] == "assistant" for message in request.messages)
    if not questions or (len(questions) == 1 and not has_answer):
        return None
    parts = (hints.app, request.system_text, text_of(questions[0].get("content")))
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass"))
    return f"conv_{digest.hexdigest()[:24]}"
