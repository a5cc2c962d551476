"""Reading a request in the OpenAI and Anthropic wire forms without owning it.

The body stays bytes. One shallow parse splits the object into raw fields; a field that nobody asks for is never
decoded, and unknown fields survive because they are never touched. Where a field comes twice the last one counts and
is the only one sent on, so that what was checked is what the model sees.
"""

import re
from array import array
from itertools import accumulate
from typing import Any

import msgspec

from trimtab.core.errors import InvalidRequest
from trimtab.core.once import once
from trimtab.core.records import Api
from trimtab.core.usage import BYTES_PER_TOKEN

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANY = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()

MAX_NESTING = 64
"""Deepest JSON nesting a request may have, the outer object included; SDKs produce fewer than 20 levels."""

MAX_MESSAGES = 20_000
"""Most messages in one request. A million-token context filled with one-word turns holds fewer, and reading a million
of them would hold up every other call for a second."""

MAX_COUNT = 2**31 - 1
"""Largest ``max_tokens`` or ``n`` that is read as a number; every model's limit is far below."""

MAX_MODEL_CHARACTERS = 256

_BRACKETS_ONLY = bytes.maketrans(b"[]{}", b"()()")
_NO_MARKS = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_STEPS = bytes.maketrans(b"()", b"\x01\xff")
"""One level up and, as a signed byte, one level down."""
_PEELED = 8
"""Levels taken off one by one; ordinary requests have no more, and a walk over what is left is linear."""
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class WireRequest:
    """One request as it came, with typed views of what routing needs.

    Args:
        api: The wire form.
        body: The JSON object, as received.

    Raises:
        InvalidRequest: not UTF-8, not JSON, not an object, nested deeper than ``MAX_NESTING``, more than
            ``MAX_MESSAGES`` messages, or ``model``, ``stream`` of a wrong type.
    """

    def __init__(self, api: Api, body: bytes) -> None:
        self.api = api
        self.body = body
        self.fields = _fields_of(body)
        self.model: str = self._read_model()
        stream = self.get("stream")
        if stream is not None and not isinstance(stream, bool):
            raise InvalidRequest(f"The field `stream` is {_type_of(stream)}, not a boolean.", param="stream")
        self.is_stream: bool = bool(stream)
        self._check_messages_field()

    def _read_model(self) -> str:
        model = self.get("model")
        if isinstance(model, str) and 0 < len(model) <= MAX_MODEL_CHARACTERS:
            return model
        problem = f"is {_type_of(model)}, not a string"
        if model is None or model == "":
            problem = "is missing or empty"
        elif isinstance(model, str):
            problem = f"has {len(model)} characters; at most {MAX_MODEL_CHARACTERS} are read"
        raise InvalidRequest(
            f"The field `model` {problem}.", param="model", hint='Name a model of the pool, "auto", or "workload/NAME".'
        )

    def _check_messages_field(self) -> None:
        name = "input" if self.api is Api.EMBEDDINGS else "messages"
        raw = self.fields.get(name)
        if raw is None:
            raise InvalidRequest(f"The field `{name}` is missing.", param=name)
        if self.api is Api.EMBEDDINGS:
            return
        if bytes(raw)[:1] != b"[":
            raise InvalidRequest(f"The field `{name}` is not a list.", param=name)
        # Quotes inside a JSON string are escaped, so only true keys and values are counted.
        if len(self.body) > 8 * MAX_MESSAGES and self.body.count(b'"role"') > MAX_MESSAGES:
            raise _too_many_messages(self.body.count(b'"role"'))

    def get(self, name: str) -> Any:
        """Return one top-level field, decoded; ``None`` when absent. ``Any``: it is the caller's JSON."""
        raw = self.fields.get(name)
        if raw is None:
            return None
        try:
            return _ANY.decode(raw)
        except (msgspec.DecodeError, RecursionError) as exc:
            raise InvalidRequest(f"The field `{name}` cannot be read: {_reason(exc)}.", param=name) from exc

    @once
    def messages(self) -> list[dict[str, Any]]:
        """The messages, decoded; for embeddings the empty list."""
        if self.api is Api.EMBEDDINGS:
            return []
        messages = self.get("messages")
        if not messages:
            raise InvalidRequest("The field `messages` is empty.", param="messages")
        if len(messages) > MAX_MESSAGES:
            raise _too_many_messages(len(messages))
        for index, message in enumerate(messages):
            if not isinstance(message, dict) or not isinstance(message.get("role"), str):
                raise InvalidRequest(
                    f"messages[{index}] is not an object with a string `role`.", param=f"messages[{index}]"
                )
        return messages  # type: ignore[no-any-return]  # checked element by element above

    @once
    def system_text(self) -> str:
        """The system or developer instructions, joined; empty when there are none."""
        if self.api is Api.MESSAGES:
            return text_of(self.get("system"))
        return "\n".join(text_of(m.get("content")) for m in self.messages if m["role"] in ("system", "developer"))

    @once
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

    @once
    def n_images(self) -> int:
        """Image parts over all messages."""
        return sum(_count_images(message.get("content")) for message in self.messages)

    @once
    def n_tools(self) -> int:
        """Tools offered to the model."""
        tools = self.get("tools")
        functions = self.get("functions")
        return (len(tools) if isinstance(tools, list) else 0) + (len(functions) if isinstance(functions, list) else 0)

    @once
    def json_mode(self) -> str | None:
        """``json_schema``, ``json_object`` or ``None`` for free text."""
        wanted = self.get("response_format")
        if self.api is Api.MESSAGES:
            config = self.get("output_config")
            wanted = config.get("format") if isinstance(config, dict) else self.get("output_format")
        kind = wanted.get("type") if isinstance(wanted, dict) else None
        return kind if kind in ("json_schema", "json_object") else None

    @once
    def max_output_tokens(self) -> int | None:
        """The largest of the caller's limits on output tokens; of two names, which one a provider reads is unknown."""
        names = ("max_tokens",) if self.api is Api.MESSAGES else ("max_completion_tokens", "max_tokens")
        limits = [_count(name, limit) for name in names if (limit := self.get(name)) is not None]
        return max(limits, default=None)

    @once
    def n_choices(self) -> int:
        """How many answers the caller asked for (``n``)."""
        n = self.get("n")
        return 1 if n is None else _count("n", n)

    @once
    def estimated_input_tokens(self) -> int:
        """A quarter of the body's bytes, at least 1: a cheap upper-side estimate for English and JSON."""
        return max(1, len(self.body) // BYTES_PER_TOKEN)

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


def _fields_of(body: bytes) -> dict[str, msgspec.Raw]:
    try:
        if not body.isascii():
            body.decode()
        fields = _FIELDS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise InvalidRequest(
            f"The request body is not a JSON object: {_reason(exc)}.",
            hint="A \\ud800 to \\udfff escape must be half of a pair."
            if _LONE_SURROGATE.search(body)
            else "Send a JSON object with a `model` field and Content-Type: application/json.",
        ) from exc
    if is_nested_deeper(body, MAX_NESTING):
        raise InvalidRequest(f"The request body is nested deeper than {MAX_NESTING} levels.")
    return fields


def _reason(exc: Exception) -> str:
    if isinstance(exc, UnicodeDecodeError):
        return f"byte {exc.start} is not UTF-8"
    return "it is nested too deeply" if isinstance(exc, RecursionError) else str(exc)


def is_nested_deeper(body: bytes, levels: int) -> bool:
    """Return whether a JSON text has more than ``levels`` objects and lists inside one another.

    Every step runs over whole byte strings: 20 kB cost some 10 µs, and the worst 10 MB found 0.7 s.

    Args:
        body: Valid JSON; anything else gives an answer without meaning.
        levels: At least 0.
    """
    if body.count(b"[") + body.count(b"{") <= levels:
        return False
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Two quotes side by side go first: that changes for no bracket whether it stands inside a string.
    marks = body.translate(_BRACKETS_ONLY, _NO_MARKS).replace(b'""', b"")
    brackets = b"".join(marks.split(b'"')[::2])
    for _ in range(min(levels, _PEELED)):
        if not brackets:
            return False
        brackets = brackets.replace(b"()", b"")  # takes away exactly one level
    steps = array("b", brackets.translate(_STEPS))
    return max(accumulate(steps), default=0) > levels - min(levels, _PEELED)


def _too_many_messages(n_messages: int) -> InvalidRequest:
    return InvalidRequest(
        f"The field `messages` has {n_messages} entries; at most {MAX_MESSAGES} are read.", param="messages"
    )


def _type_of(value: object) -> str:
    return {"dict": "an object", "list": "a list", "str": "a string", "bool": "a boolean"}.get(
        type(value).__name__, "a number"
    )


def _count(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        problem = f"{_type_of(value)}, not a positive integer"
        raise InvalidRequest(f"The field `{name}` is {problem}.", param=name)
    if not 1 <= value <= MAX_COUNT:
        raise InvalidRequest(f"The field `{name}` is outside 1 to {MAX_COUNT}.", param=name)
    return value


def _count_images(content: object) -> int:
    """Count image parts, those inside Anthropic's ``tool_result`` parts too."""
    if not isinstance(content, list):
        return 0
    parts = [part for part in content if isinstance(part, dict)]
    n_here = sum(1 for part in parts if part.get("type") in ("image_url", "image"))
    return n_here + sum(_count_images(part.get("content")) for part in parts if part.get("type") == "tool_result")


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
