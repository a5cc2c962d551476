"""Reading a request in the OpenAI and Anthropic wire forms without owning it.

The body stays bytes. One shallow parse splits the object into raw fields; a field that nobody asks for is never
decoded, and unknown fields survive because they are never touched.
"""

from functools import cached_property
from typing import Any

import msgspec

from trimtab.core.errors import InvalidRequest
from trimtab.core.records import Api

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANY = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()

MAX_NESTING = 64
"""Deepest JSON nesting a request may have; SDKs produce fewer than 20 levels."""


class WireRequest:
    """One request as it came, with typed views of what routing needs.

    Args:
        api: The wire form.
        body: The JSON object, as received.

    Raises:
        InvalidRequest: not JSON, not an object, nested too deeply, or ``model``, ``stream`` of a wrong type.
    """

    def __init__(self, api: Api, body: bytes) -> None:
        self.api = api
        self.body = body
        try:
            self.fields = _FIELDS.decode(body)
        except (msgspec.DecodeError, RecursionError) as exc:
            raise InvalidRequest(
                f"The request body is not a JSON object: {exc}.",
                hint="Send a JSON object with a `model` field and Content-Type: application/json.",
            ) from exc
        model = self.get("model")
        if not isinstance(model, str) or not model:
            raise InvalidRequest(
                "The field `model` is missing or not a string."
                if model is None or model == ""
                else f"The field `model` is a {type(model).__name__}, not a string.",
                param="model",
                hint='Name a model of the pool, "auto", or "workload/NAME".',
            )
        self.model: str = model
        stream = self.get("stream")
        if stream is not None and not isinstance(stream, bool):
            raise InvalidRequest(f"The field `stream` is a {type(stream).__name__}, not a boolean.", param="stream")
        self.is_stream: bool = bool(stream)
        self._check_messages_field()

    def _check_messages_field(self) -> None:
        name = "input" if self.api is Api.EMBEDDINGS else "messages"
        raw = self.fields.get(name)
        if raw is None:
            raise InvalidRequest(f"The field `{name}` is missing.", param=name)
        first = bytes(raw)[:1]
        if self.api is not Api.EMBEDDINGS and first != b"[":
            raise InvalidRequest(f"The field `{name}` is not a list.", param=name)

    def get(self, name: str) -> Any:
        """Return one top-level field, decoded; ``None`` when absent. ``Any``: it is the caller's JSON."""
        raw = self.fields.get(name)
        if raw is None:
            return None
        try:
            return _ANY.decode(raw)
        except (msgspec.DecodeError, RecursionError) as exc:
            raise InvalidRequest(f"The field `{name}` cannot be read: {exc}.", param=name) from exc

    @cached_property
    def messages(self) -> list[dict[str, Any]]:
        """The messages, decoded; for embeddings the empty list."""
        if self.api is Api.EMBEDDINGS:
            return []
        messages = self.get("messages")
        if not messages:
            raise InvalidRequest("The field `messages` is empty.", param="messages")
        for index, message in enumerate(messages):
            if not isinstance(message, dict) or not isinstance(message.get("role"), str):
                raise InvalidRequest(
                    f"messages[{index}] is not an object with a string `role`.", param=f"messages[{index}]"
                )
        return messages  # type: ignore[no-any-return]  # checked element by element above

    @cached_property
    def system_text(self) -> str:
        """The system or developer instructions, joined; empty when there are none."""
        if self.api is Api.MESSAGES:
            return text_of(self.get("system"))
        return "\n".join(text_of(m.get("content")) for m in self.messages if m["role"] in ("system", "developer"))

    @cached_property
    def last_user_text(self) -> str:
        """The newest user message's text; for embeddings the input."""
        if self.api is Api.EMBEDDINGS:
            return text_of(self.get("input"))
        for message in reversed(self.messages):
            if message["role"] == "user":
                text = text_of(message.get("content"))
                if text:
                    return text
        return ""

    @cached_property
    def n_images(self) -> int:
        """Image parts over all messages."""
        n = 0
        for message in self.messages:
            content = message.get("content")
            if isinstance(content, list):
                n += sum(1 for p in content if isinstance(p, dict) and p.get("type") in ("image_url", "image"))
        return n

    @cached_property
    def n_tools(self) -> int:
        """Tools offered to the model."""
        tools = self.get("tools")
        functions = self.get("functions")
        return (len(tools) if isinstance(tools, list) else 0) + (len(functions) if isinstance(functions, list) else 0)

    @cached_property
    def json_mode(self) -> str | None:
        """``json_schema``, ``json_object`` or ``None`` for free text."""
        response_format = self.get("response_format")
        if isinstance(response_format, dict):
            kind = response_format.get("type")
            return kind if kind in ("json_schema", "json_object") else None
        return None

    @cached_property
    def max_output_tokens(self) -> int | None:
        """The caller's own limit on output tokens, if it set one."""
        for name in ("max_completion_tokens", "max_tokens"):
            limit = self.get(name)
            if limit is None:
                continue
            if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
                raise InvalidRequest(f"The field `{name}` is {limit!r}, not a positive integer.", param=name)
            return limit
        return None

    @cached_property
    def n_choices(self) -> int:
        """How many answers the caller asked for (``n``)."""
        n = self.get("n")
        if n is None:
            return 1
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise InvalidRequest(f"The field `n` is {n!r}, not a positive integer.", param="n")
        return n

    @cached_property
    def estimated_input_tokens(self) -> int:
        """A quarter of the body's bytes, at least 1: a cheap upper-side estimate for English and JSON."""
        return max(1, len(self.body) // 4)

    def rewritten(self, changes: dict[str, Any]) -> bytes:
        """Return the body with some top-level fields replaced, or removed where the change is ``None``.

        Every other field keeps its bytes; the order is kept. ``Any``: values are whatever JSON the change needs.
        """
        fields: dict[str, Any] = dict(self.fields)
        for name, value in changes.items():
            if value is None:
                fields.pop(name, None)
            else:
                fields[name] = value
        return _ENCODER.encode(fields)


def text_of(content: object) -> str:
    """Return the text in a message's ``content``: a string, or the text parts of a list, joined by newlines."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = []
        for part in content:
            if isinstance(part, str):
                parts.append(part)
            elif isinstance(part, dict) and isinstance(part.get("text"), str):
                parts.append(part["text"])
        return "\n".join(parts)
    return ""
