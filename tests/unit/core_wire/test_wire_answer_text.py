"""What a model said, out of any form of answer."""

import json

import pytest

from trimtab.core import Api
from trimtab.core.answer_text import answer_text

CHAT, MESSAGES = Api.CHAT_COMPLETIONS, Api.MESSAGES


def stream(*documents: object) -> bytes:
    return b"".join(f"data: {json.dumps(document)}\n\n".encode() for document in documents) + b"data: [DONE]\n\n"


def chunk(index: int = 0, **delta: object) -> dict[str, object]:
    return {"choices": [{"index": index, "delta": delta}]}


@pytest.mark.parametrize(
    ("api", "body", "said"),
    [
        (CHAT, b'{"choices": [{"index": 0, "message": {"content": "four"}}, {"index": 1, "message": {}}]}', "four"),
        (CHAT, b'{"choices": [{"message": {"content": [{"type": "text", "text": "four"}]}}]}', "four"),
        (CHAT, stream(chunk(role="assistant"), chunk(content="fo"), chunk(content="ur"), {"choices": []}), "four"),
        (CHAT, stream(chunk(content="four"), chunk(1, content="five")), "four"),
        (CHAT, b'{"choices": [{"message": {"content": null, "tool_calls": [{"id": "x"}]}}]}', None),
        (CHAT, stream(chunk(content="I call"), chunk(tool_calls=[{"index": 0}])), None),
        (CHAT, b'{"choices": []}', None),
        (CHAT, b'{"error": {"message": "no"}}', None),
        (CHAT, b'{"choices": [{"mess', None),
        (CHAT, b"", None),
        (MESSAGES, b'{"content": [{"type": "thinking", "thinking": "x"}, {"type": "text", "text": "four"}]}', "four"),
        (MESSAGES, b'{"content": [{"type": "text", "text": "a"}, {"type": "tool_use", "id": "x"}]}', None),
        (
            MESSAGES,
            stream(
                {"type": "message_start", "message": {"content": []}},
                {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "x"}},
                {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "four"}},
                {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
            ),
            "four",
        ),
        (MESSAGES, stream({"type": "content_block_start", "content_block": {"type": "tool_use"}}), None),
    ],
)
def test_the_text_of_an_answer_is_found_in_every_form(api: Api, body: bytes, said: str | None) -> None:
    assert answer_text(api, body) == said
