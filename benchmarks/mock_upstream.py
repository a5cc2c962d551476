"""A model provider that costs next to nothing: fixed answers, and streams whose chunks carry the time they were sent.

The prompt says how a stream goes: ``chunks=50 gap_us=2000``. Every gateway passes a prompt on, so the load generator
can order streams through any of them.
"""

import asyncio
import re
import sys
import time
from typing import cast

import httptools
import uvloop

_ORDER = re.compile(rb"chunks=(\d+) gap_us=(\d+)")
_IS_STREAM = re.compile(rb'"stream"\s*:\s*true')
_ANSWER = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"mock","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"' + b"All is well. " * 20 + b'"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":200,"completion_tokens":60,"total_tokens":260}}'
)
_WHOLE = (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_ANSWER)) + _ANSWER
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_FRAME = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"mock","choices":'
    b'[{"index":0,"delta":{"content":"t=%d;"},"finish_reason":null}]}\n\n'
)
_LAST = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"mock","choices":'
    b'[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
)
_USAGE = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"mock","choices":[],'
    b'"usage":{"prompt_tokens":200,"completion_tokens":50,"total_tokens":250}}\n\n'
)


class MockUpstream(asyncio.Protocol):
    """One keep-alive connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class only looks like one
        self._parser = httptools.HttpRequestParser(self)
        self._body = bytearray()
        self._timer: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop a stream nobody reads."""
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse."""
        self._parser.feed_data(data)

    def on_body(self, piece: bytes) -> None:
        """Collect the prompt."""
        self._body += piece

    def on_message_complete(self) -> None:
        """Answer at once, or begin a stream."""
        body, self._body = bytes(self._body), bytearray()
        if _IS_STREAM.search(body) is None:
            self._transport.write(_WHOLE)
            return
        order = _ORDER.search(body)
        n_chunks, gap_us = (int(order[1]), int(order[2])) if order is not None else (50, 2000)
        self._transport.write(_HEAD)
        self._stream(n_chunks, gap_us / 1e6, asks_usage=b'"include_usage"' in body)

    def _stream(self, n_left: int, gap_s: float, *, asks_usage: bool) -> None:
        if n_left == 0:
            self._transport.write(_chunk(_LAST + (_USAGE if asks_usage else b"") + b"data: [DONE]\n\n") + b"0\r\n\r\n")
            return
        self._transport.write(_chunk(_FRAME % time.monotonic_ns()))
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(gap_s, lambda: self._stream(n_left - 1, gap_s, asks_usage=asks_usage))


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


async def serve(port: int) -> None:
    """Serve on loopback until killed."""
    server = await asyncio.get_running_loop().create_server(MockUpstream, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
