"""What a model said, out of the answer that its provider sent: whole or as a stream, in either wire form."""

from collections.abc import Iterator
from typing import Any

import msgspec

from trimtab.core.messages import text_of
from trimtab.core.records import Api
from trimtab.core.sse import data_of, split_events


def answer_text(api: Api, body: bytes) -> str | None:
    r"""Return the text of the first choice; ``None`` where there is none, or where the model called a tool.

    Args:
        api: The wire form.
        body: As the client received it, a stream's events one after the other.

    >>> answer_text(Api.CHAT_COMPLETIONS, b'{"choices": [{"message": {"content": "four"}}]}')
    'four'
    >>> answer_text(Api.MESSAGES, b'data: {"type": "content_block_delta", "delta": {"text": "four"}}\n\n')
    'four'
    """
    documents = _documents(body)
    if documents is None:
        return None
    read = _of_message if api is Api.MESSAGES else _of_choice
    pieces: list[str] = []
    for document in documents:
        piece = read(document)
        if piece is None:
            return None
        pieces.append(piece)
    return "".join(pieces) or None


def _documents(body: bytes) -> list[dict[str, Any]] | None:  # Any: a provider's JSON
    if body.lstrip()[:1] == b"{":
        documents = list(_decoded(body))
        return documents or None
    return [document for event in split_events(body) for document in _decoded(data_of(event))]


def _decoded(text: bytes) -> Iterator[dict[str, Any]]:  # Any: likewise
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if isinstance(document, dict):
        yield document


def _of_choice(document: dict[str, Any]) -> str | None:  # Any: likewise
    """Return what one document of OpenAI's form adds; ``None`` for a tool call."""
    choices = document.get("choices")
    first = next((c for c in choices if isinstance(c, dict) and not c.get("index")), None) if choices else None
    said = (first.get("message") or first.get("delta")) if first is not None else None
    if not isinstance(said, dict):
        return ""
    return None if said.get("tool_calls") or said.get("function_call") else text_of(said.get("content"))


def _of_message(document: dict[str, Any]) -> str | None:  # Any: likewise
    """Return what one document of Anthropic's form adds; ``None`` for the use of a tool."""
    parts = document.get("content")
    if isinstance(parts, list):
        return None if any(_is_tool(part) for part in parts) else text_of(parts)
    if _is_tool(document.get("content_block")):
        return None
    delta = document.get("delta")
    text = delta.get("text") if isinstance(delta, dict) else None
    return text if isinstance(text, str) else ""


def _is_tool(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") in ("tool_use", "server_tool_use")
