"""One chat call to a server, timed piece by piece."""

import http.client
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from trimtab.serving.engine import Endpoint
from trimtab.serving.http import MAX_ANSWER_BYTES, NoAnswer, url_of

_SAID_BYTES = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom to ask."""

    endpoint: Endpoint
    model: str
    """What the server calls it."""
    body_fields: Mapping[str, object] = field(default_factory=dict)
    """Carried by every request to it."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every request."""
    ca_file: Path | None = None
    """Certificates (PEM) to trust instead of the system's."""

    @property
    def is_local(self) -> bool:
        """Whether it answers on this machine's loopback."""
        return urlsplit(self.endpoint.base_url).hostname in {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One streamed answer, by a clock that only goes forward."""

    sent_s: float
    """When the request was written to an open connection."""
    first_s: float | None
    """When the first piece of text came; ``None`` when none did."""
    last_s: float | None
    """When the last one came."""
    ended_s: float
    n_pieces: int
    input_tokens: int | None
    """As the server reported; ``None`` when it did not."""
    reported_output_tokens: int | None
    """Likewise."""

    @property
    def output_tokens(self) -> int:
        """As the server reported, else the pieces that came: most servers send one for each token."""
        return self.n_pieces if self.reported_output_tokens is None else self.reported_output_tokens


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Event(msgspec.Struct):
    choices: list[_Choice] = msgspec.field(default_factory=list)
    usage: _Usage | None = None
    error: Any = None  # Any: servers differ in how they report an error in mid-stream


_DECODER = msgspec.json.Decoder(_Event)


def ask_timed(target: Target, body: Mapping[str, object], *, timeout_s: float) -> Timed:
    """Send one streamed chat call and note when what came. The connection is open before the clock starts.

    Raises:
        NoAnswer: no connection, an error status, an error in mid-stream, or no end within ``timeout_s``.
    """
    sent = {**body, "stream": True, "stream_options": {"include_usage": True}}
    first_s = last_s = None
    n_pieces, usage = 0, _Usage()
    with _answering(target, sent, timeout_s) as (response, sent_s):
        while (line := response.readline(MAX_ANSWER_BYTES)) != b"":
            now_s = time.monotonic()
            if now_s - sent_s > timeout_s:
                raise NoAnswer(f"{target.endpoint.label}: no end of the answer within {timeout_s:g} s.")
            if not line.startswith(b"data:") or (payload := line[5:].strip()) == b"[DONE]":
                continue
            event = _decoded(target, payload)
            usage = event.usage or usage
            if any(_has_text(choice.delta) for choice in event.choices):
                first_s = now_s if first_s is None else first_s
                last_s = now_s
                n_pieces += 1
        ended_s = time.monotonic()
    return Timed(
        sent_s=sent_s,
        first_s=first_s,
        last_s=last_s,
        ended_s=ended_s,
        n_pieces=n_pieces,
        input_tokens=usage.prompt_tokens,
        reported_output_tokens=usage.completion_tokens,
    )


def ask_whole(target: Target, body: Mapping[str, object], *, timeout_s: float) -> Any:
    """Send one chat call and return the answer's JSON.

    Raises:
        NoAnswer: as for :func:`ask_timed`, or the answer is no JSON.
    """
    with _answering(target, body, timeout_s) as (response, _):
        raw = response.read(MAX_ANSWER_BYTES)
    try:
        return json.loads(raw)
    except ValueError as exc:
        raise NoAnswer(f"{target.endpoint.label} answered with something that is not JSON.") from exc


@contextmanager
def _answering(
    target: Target, body: Mapping[str, object], timeout_s: float
) -> Iterator[tuple[http.client.HTTPResponse, float]]:
    """Give a good answer's head and when the request was sent."""
    endpoint = target.endpoint
    connection, path = _connection(target, timeout_s)
    headers = {"content-type": "application/json", **target.headers}
    if endpoint.api_key is not None:
        headers["authorization"] = f"Bearer {endpoint.api_key}"
    raw = json.dumps({**body, "model": target.model, **target.body_fields}).encode()
    try:
        connection.connect()
        sent_s = time.monotonic()
        connection.request("POST", path, body=raw, headers=headers)
        response = connection.getresponse()
        if response.status != 200:
            said = response.read(_SAID_BYTES).decode("utf-8", "replace")
            raise NoAnswer(f"{endpoint.label} answered {response.status}: {said}", status=response.status)
        yield response, sent_s
    except (OSError, http.client.HTTPException) as exc:
        raise NoAnswer(f"{endpoint.label} cannot be asked: {exc or type(exc).__name__}.") from exc
    finally:
        connection.close()


def _connection(target: Target, timeout_s: float) -> tuple[http.client.HTTPConnection, str]:
    # No proxy of the environment, as for watching an engine: its key stays between the two.
    parts = urlsplit(url_of(target.endpoint, "chat/completions"))
    host = parts.hostname or ""
    if parts.scheme != "https":
        return http.client.HTTPConnection(host, parts.port, timeout=timeout_s), parts.path
    trusted = ssl.create_default_context(cafile=target.ca_file)
    return http.client.HTTPSConnection(host, parts.port, timeout=timeout_s, context=trusted), parts.path


def _decoded(target: Target, payload: bytes) -> _Event:
    try:
        event = _DECODER.decode(payload)
    except msgspec.MsgspecError as exc:
        raise NoAnswer(f"{target.endpoint.label} sent an event that is no chat completion: {exc}.") from exc
    if event.error:
        raise NoAnswer(f"{target.endpoint.label} failed in mid-stream: {str(event.error)[:_SAID_BYTES]}")
    return event


def _has_text(delta: _Delta) -> bool:
    return bool(delta.content or delta.reasoning_content or delta.reasoning)
