"""A model provider for tests and benchmarks: real HTTP on loopback, OpenAI's and Anthropic's forms, scripted faults.

Faults are asked for in the model's name, which passes through a gateway unchanged, or in a header ``x-mock``: parts
after the first slash, each a word or ``word-value``. ``mock/status-429/retry_after-2`` answers 429 with Retry-After.

=================  ====================================================================================
``status-N``       answer with that status and the provider's error form; ``retry_after-S`` adds the header
``first_byte-S``   wait before the head
``hang``           never answer
``chunks-N``       words in the answer, each its own chunk of a stream (5); ``gap-S`` waits between them
``gate-NAME``      send each chunk after the first only when :meth:`MockUpstream.open_gate` lets it
``cut-N``          close after N chunks of a stream; without a stream, in the middle of the body
``reset``          reset the connection before the first byte; ``drop`` closes it
``garbage``        answer with bytes that are not HTTP; ``nonsense`` answers 200 with bytes that are not JSON
``huge-N``         an answer with N bytes of text
``redirect``       302 to a metadata address
``echo``           the request body, byte for byte
``tool``           a tool call instead of text
``close``          no length and no chunks: the body ends with the connection
``raw-HEX``        those bytes, whatever they are
=================  ====================================================================================

``python tests/support/mock_upstream.py --port 9000`` runs it alone, on uvloop where there is one.
"""

import argparse
import asyncio
import json
import socket
import ssl
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

import httptools

N_INPUT_TOKENS = 12
_REASONS = {200: "OK", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 429: "Too Many Requests"}


@dataclass
class Seen:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """Which connection carried it, counted from 1."""
    client_left: threading.Event = field(default_factory=threading.Event)
    """Set when the client closed before the answer was whole."""
    n_chunks_sent: int = 0

    def json(self) -> Any:
        return json.loads(self.body)


class MockUpstream:
    """The server, in a thread of its own: ``with MockUpstream() as mock: mock.url``."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.seen: list[Seen] = []
        """Every request, in order of arrival."""
        self.keeps_seen = True
        self.n_connections = 0
        """Connections ever made."""
        self._tls = tls
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="mock-upstream", daemon=True)
        self._gates: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(0))
        self.wires: set[_Wire] = set()

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        """Scheme, host and port; OpenAI's paths begin with ``/v1`` below it."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self._port}"

    def __enter__(self) -> Self:
        self._loop.run_until_complete(self.open())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def open(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Wire(self), self._host, self._port, ssl=self._tls, backlog=1024
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for wire in list(self.wires):
            wire.abort()
        await asyncio.sleep(0)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    # what tests do to it

    def open_gate(self, name: str) -> None:
        """Let one more chunk through the gate."""
        self._loop.call_soon_threadsafe(self._gate(name).release)

    def close_idle_connections(self) -> None:
        """Close every connection, as a provider does after its keep-alive time, and wait until that is done."""
        asyncio.run_coroutine_threadsafe(self._close_idle(), self._loop).result(5)

    async def _close_idle(self) -> None:
        for wire in list(self.wires):
            wire.close()
        while self.wires:
            await asyncio.sleep(0.001)

    def wait_for(self, n_seen: int, *, within_s: float = 5.0) -> Seen:
        """Return the newest request once ``n_seen`` have arrived."""
        deadline = time.monotonic() + within_s
        while len(self.seen) < n_seen:
            assert time.monotonic() < deadline, f"{len(self.seen)} of {n_seen} requests arrived in {within_s} s"
            time.sleep(0.002)
        return self.seen[n_seen - 1]

    def _gate(self, name: str) -> asyncio.Semaphore:
        return self._gates[name]

    async def pass_gate(self, name: str) -> None:
        await self._gate(name).acquire()


@lru_cache(1024)
def _script(text: str) -> dict[str, str]:
    return dict(_pairs(text))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split("/"):
        word, _, value = part.partition("-")
        yield word, value


class _Wire(asyncio.Protocol):
    """One connection: requests in, answers out, one at a time."""

    def __init__(self, server: MockUpstream) -> None:
        self._server = server
        self._parser: Any = httptools.HttpRequestParser(self)  # Any: httptools ships no types
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._answering: Seen | None = None
        self._number = 0
        self.on_message_begin()

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # create_server always gives a Transport
        self._server.wires.add(self)
        self._server.n_connections += 1
        self._number = self._server.n_connections

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.wires.discard(self)
        if self._answering is not None:
            self._answering.client_left.set()
        if self._task is not None:
            self._task.cancel()
        self._transport = None

    # httptools

    def on_message_begin(self) -> None:
        self._path = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        seen = Seen(self._path.decode("latin-1"), self._headers, b"".join(self._body), self._number)
        if self._server.keeps_seen:
            self._server.seen.append(seen)
        self._answering = seen
        answer = _Answer.to(seen)
        script = answer.script
        if script.keys() & {"hang", "first_byte", "cut", "gate", "gap", "reset", "drop", "close"} or answer.is_stream:
            self._task = asyncio.get_running_loop().create_task(self._act(answer, seen))
        else:
            self._write(answer.whole())
            self._answering = None

    # acting

    async def _act(self, answer: "_Answer", seen: Seen) -> None:
        script = answer.script
        await asyncio.sleep(float(script.get("first_byte", 0)))
        if "hang" in script:
            await asyncio.sleep(3600)
        if "reset" in script or "drop" in script:
            self._end(is_reset="reset" in script)
        elif answer.is_stream and answer.status == 200:
            await self._stream(answer, seen)
        elif "cut" in script:
            whole = answer.whole()
            self._write(whole[: len(whole) - 10])
            self._end()
        else:
            self._write(answer.whole())
            self._answering = None
            if "close" in script:
                self.close()

    async def _stream(self, answer: "_Answer", seen: Seen) -> None:
        script = answer.script
        gap_s, cut_at = float(script.get("gap", 0)), int(script.get("cut", -1))
        self._write(_head(200, "text/event-stream", "transfer-encoding: chunked"))
        for number, event in enumerate(answer.events()):
            if number == cut_at:
                self._end()
                return
            if number and "gate" in script:
                await self._server.pass_gate(script["gate"])
            if number and gap_s:
                await asyncio.sleep(gap_s)
            seen.n_chunks_sent += 1
            self._write(b"%x\r\n%b\r\n" % (len(event), event))
        self._answering = None
        self._write(b"0\r\n\r\n")

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _end(self, *, is_reset: bool = False) -> None:
        self._answering = None
        if self._transport is None:
            return
        if is_reset:
            connection: socket.socket = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.abort()
        else:
            self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _Answer:
    """What to say to one request."""

    def __init__(self, seen: Seen, request: dict[str, Any], script: dict[str, str]) -> None:
        self.script = script
        self.status = int(script.get("status", 302 if "redirect" in script else 200))
        self.is_stream = bool(request.get("stream"))
        self._seen = seen
        self._request = request
        self._is_anthropic = seen.path.endswith("/messages")
        self._n_words = int(script.get("chunks", 5))

    @classmethod
    def to(cls, seen: Seen) -> "_Answer":
        try:
            request = json.loads(seen.body)
        except ValueError:
            request = None
        if not isinstance(request, dict):
            return cls(seen, {}, {"status": "400"} if "x-mock" not in seen.headers else _script(seen.headers["x-mock"]))
        model = request.get("model")
        text = seen.headers.get("x-mock") or (model if isinstance(model, str) else "")
        return cls(seen, request, _script(text))

    def whole(self) -> bytes:
        script = self.script
        if "raw" in script:
            return bytes.fromhex(script["raw"])
        if "garbage" in script:
            return b"\x00\x01SSH-2.0 this is not HTTP\r\n\r\n"
        if "redirect" in script:
            return _head(302, "text/plain", "location: http://169.254.169.254/latest/meta-data\r\ncontent-length: 0")
        if self.status != 200:
            after = f"retry-after: {script['retry_after']}\r\n" if "retry_after" in script else ""
            return self._sized(json.dumps(self._error()).encode(), after)
        if "echo" in script:
            return self._sized(self._seen.body)
        if "nonsense" in script:
            return self._sized(b"<html>not JSON")
        return self._sized(self._body())

    def _sized(self, body: bytes, more: str = "") -> bytes:
        length = "connection: close" if "close" in self.script else f"content-length: {len(body)}"
        return _head(self.status, "application/json", f"{more}x-request-id: req-mock\r\n{length}") + body

    def _error(self) -> dict[str, object]:
        message = f"mock error {self.status}"
        if self._is_anthropic:
            return {"type": "error", "error": {"type": "mock_error", "message": message}}
        return {"error": {"message": message, "type": "mock_error", "param": None, "code": None}}

    def _words(self) -> list[str]:
        return ["x" * int(self.script["huge"])] if "huge" in self.script else [f"w{n} " for n in range(self._n_words)]

    def _body(self) -> bytes:
        if self._seen.path.endswith("/embeddings"):
            return _embeddings(self._model())
        if self._is_anthropic:
            return _anthropic_message(
                self._model(), "".join(self._words()), self._n_words, is_tool="tool" in self.script
            )
        return _openai_message(self._model(), "".join(self._words()), self._n_words, is_tool="tool" in self.script)

    def _model(self) -> str:
        return str(self._request.get("model", "mock"))

    def events(self) -> Iterator[bytes]:
        if self._is_anthropic:
            yield from _anthropic_events(self._model(), self._words())
            return
        options = self._request.get("stream_options")
        has_usage = isinstance(options, dict) and bool(options.get("include_usage"))
        is_tool = "tool" in self.script
        yield from _openai_events(self._model(), self._words(), is_tool=is_tool, has_usage=has_usage)


def _head(status: int, content_type: str, more: str) -> bytes:
    reason = _REASONS.get(status, "Status")
    return f"HTTP/1.1 {status} {reason}\r\ncontent-type: {content_type}\r\n{more}\r\n\r\n".encode()


def _dumped(build: Callable[..., object]) -> Callable[..., bytes]:
    """Cache the JSON, so that the mock costs a benchmark next to nothing."""

    @lru_cache(64)
    def dump(*args: object, **kwargs: object) -> bytes:
        return json.dumps(build(*args, **kwargs), separators=(",", ":")).encode()

    return dump


def _openai_usage(n_output: int) -> dict[str, object]:
    return {
        "prompt_tokens": N_INPUT_TOKENS,
        "completion_tokens": n_output,
        "total_tokens": N_INPUT_TOKENS + n_output,
        "prompt_tokens_details": {"cached_tokens": 4},
    }


_TOOL = {"id": "call_mock", "type": "function", "function": {"name": "look_up", "arguments": '{"city":"Oslo"}'}}


@_dumped
def _openai_message(model: str, text: str, n_words: int, *, is_tool: bool) -> object:
    message: dict[str, object] = {"role": "assistant", "content": None if is_tool else text}
    if is_tool:
        message["tool_calls"] = [_TOOL]
    return {
        "id": "chatcmpl-mock",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if is_tool else "stop"}],
        "usage": _openai_usage(n_words),
    }


@_dumped
def _embeddings(model: str) -> object:
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5, 0.75]}],
        "model": model,
        "usage": {"prompt_tokens": N_INPUT_TOKENS, "total_tokens": N_INPUT_TOKENS},
    }


@_dumped
def _openai_chunk(model: str, delta: str, finish: str | None, *, has_usage: bool, n_usage: int | None = None) -> object:
    choices = [{"index": 0, "delta": json.loads(delta), "finish_reason": finish}] if n_usage is None else []
    chunk = {
        "id": "chatcmpl-mock",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": model,
        "choices": choices,
    }
    if has_usage:
        chunk["usage"] = None if n_usage is None else _openai_usage(n_usage)
    return chunk


def _openai_events(model: str, words: list[str], *, is_tool: bool, has_usage: bool) -> Iterator[bytes]:
    deltas: list[object] = [{"content": word} for word in words]
    if is_tool:
        deltas = [{"tool_calls": [{"index": 0, **_TOOL}]}]
    for number, delta in enumerate(deltas):
        first = {"role": "assistant"} if number == 0 else {}
        text = json.dumps({**first, **delta})  # type: ignore[dict-item]  # every delta above is a dict
        yield b"data: " + _openai_chunk(model, text, None, has_usage=has_usage) + b"\n\n"
    finish = "tool_calls" if is_tool else "stop"
    yield b"data: " + _openai_chunk(model, "{}", finish, has_usage=has_usage) + b"\n\n"
    if has_usage:
        yield b"data: " + _openai_chunk(model, "{}", None, has_usage=True, n_usage=len(words)) + b"\n\n"
    yield b"data: [DONE]\n\n"


_ANTHROPIC_TOOL = {"type": "tool_use", "id": "toolu_mock", "name": "look_up", "input": {"city": "Oslo"}}


@_dumped
def _anthropic_message(model: str, text: str, n_words: int, *, is_tool: bool) -> object:
    return {
        "id": "msg_mock",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [_ANTHROPIC_TOOL if is_tool else {"type": "text", "text": text}],
        "stop_reason": "tool_use" if is_tool else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": N_INPUT_TOKENS, "output_tokens": n_words},
    }


def _anthropic_events(model: str, words: list[str]) -> Iterator[bytes]:
    usage = {"input_tokens": N_INPUT_TOKENS, "output_tokens": 1}
    message: dict[str, object] = {
        "id": "msg_mock",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    events: list[dict[str, object]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in words),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": len(words)},
        },
        {"type": "message_stop"},
    ]
    for event in events:
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def main() -> None:
    parser = argparse.ArgumentParser(description="A mock model provider.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000)
    options = parser.parse_args()
    try:
        import uvloop

        make_loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    except ImportError:
        make_loop = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(_serve(options.host, options.port))


async def _serve(host: str, port: int) -> None:
    mock = MockUpstream(host=host, port=port)
    mock.keeps_seen = False
    await mock.open()
    print(mock.url, flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await mock.close()


if __name__ == "__main__":
    main()
