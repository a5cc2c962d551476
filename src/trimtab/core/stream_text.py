"""How much a model wrote, where its answer does not say so itself."""

from collections.abc import Iterator
from typing import Any

import msgspec

from trimtab.core.records import Api
from trimtab.core.sse import data_of, split_events

TEXT_FIELDS = frozenset(
    {"content", "refusal", "reasoning", "reasoning_content", "arguments", "text", "partial_json", "thinking"}
)
"""Fields whose strings are output, in OpenAI's deltas and Anthropic's; each holds one piece of a longer text."""


def stream_text_bytes(api: Api, stream: bytes) -> int:
    r"""Return the UTF-8 bytes of text, reasoning and tool arguments in a stream, cut off anywhere.

    Args:
        api: The wire form.
        stream: Server-sent events as they were sent.

    >>> stream_text_bytes(Api.CHAT_COMPLETIONS, b'data: {"choices":[{"delta":{"content":"four"}}]}\n\ndata: [DONE]\n\n')
    4
    """
    name = "delta" if api is Api.MESSAGES else "choices"
    return sum(
        len(piece.encode("utf-8", "replace")) for event in split_events(stream) for piece in _written(event, name)
    )


def answer_text_bytes(api: Api, answer: bytes) -> int:
    """Return the UTF-8 bytes of text, reasoning and tool arguments in a whole answer; 0 for what is none.

    >>> answer_text_bytes(Api.MESSAGES, b'{"content":[{"type":"text","text":"four"}]}')
    4
    """
    name = "content" if api is Api.MESSAGES else "choices"
    return sum(len(piece.encode("utf-8", "replace")) for piece in _written_in(answer, name))


def _written(event: bytes, name: str) -> Iterator[str]:
    return _written_in(data_of(event), name)


def _written_in(document: bytes, name: str) -> Iterator[str]:
    try:
        chunk = msgspec.json.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if isinstance(chunk, dict):
        yield from _pieces(chunk.get(name))


def _pieces(value: Any) -> Iterator[str]:  # Any: a provider's JSON
    if isinstance(value, list):
        for item in value:
            yield from _pieces(item)
    elif isinstance(value, dict):
        for name, child in value.items():
            if isinstance(child, str) and name in TEXT_FIELDS:
                yield child
            else:
                yield from _pieces(child)
