"""What Python can do at all: two relays that parse, forward and relay, and decide and record nothing.

``python -m benchmarks.floors raw PORT UPSTREAM_PORT``: httptools protocols on both sides.
``python -m benchmarks.floors asgi PORT UPSTREAM_PORT``: a bare ASGI application on uvicorn.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, cast

import httptools
import uvicorn
import uvloop

Message = dict[str, Any]  # Any: ASGI's own shape
OnData = Callable[[bytes], None]


class Upstream(asyncio.Protocol):
    """One connection to the provider. What arrives is handed on as it is; the parser only finds the end."""

    def __init__(self) -> None:
        self._end: asyncio.Future[None] | None = None
        self._on_body: OnData | None = None
        self._on_data: OnData | None = None
        self.status = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class only looks like one

    def exchange(
        self, request: bytes, *, on_data: OnData | None = None, on_body: OnData | None = None
    ) -> asyncio.Future[None]:
        """Send; call back with raw data or with pieces of the body; the future is done at the end."""
        self._parser = httptools.HttpResponseParser(self)
        self._on_data, self._on_body = on_data, on_body
        self._end = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._end

    def data_received(self, data: bytes) -> None:
        """Hand on, and look for the end."""
        if self._on_data is not None:
            self._on_data(data)
        self._parser.feed_data(data)

    def on_body(self, piece: bytes) -> None:
        """Hand a piece on."""
        if self._on_body is not None:
            self.status = self._parser.get_status_code()
            self._on_body(piece)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._end is not None and not self._end.done():
            self._end.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cut the exchange under way."""
        if self._end is not None and not self._end.done():
            self._end.set_exception(ConnectionError("upstream closed"))


class Pool:
    """Idle connections to one provider."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Upstream] = []

    async def take(self) -> Upstream:
        """Return an idle connection or a new one."""
        if self._idle:
            return self._idle.pop()
        _, upstream = await asyncio.get_running_loop().create_connection(Upstream, "127.0.0.1", self._port)
        return upstream

    def give_back(self, upstream: Upstream) -> None:
        """Keep it for the next call."""
        self._idle.append(upstream)


class RawRelay(asyncio.Protocol):
    """One caller's connection: the request is parsed, the answer's bytes are copied."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class only looks like one
        self._parser = httptools.HttpRequestParser(self)
        self._body = bytearray()
        self._path = b""
        self._tasks: set[asyncio.Task[None]] = set()

    def data_received(self, data: bytes) -> None:
        """Parse."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Keep the path."""
        self._path = url

    def on_body(self, piece: bytes) -> None:
        """Collect."""
        self._body += piece

    def on_message_complete(self) -> None:
        """Forward."""
        task = asyncio.get_running_loop().create_task(self._forward(request_bytes(self._path, bytes(self._body))))
        self._body.clear()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, request: bytes) -> None:
        upstream = await self._pool.take()
        await upstream.exchange(request, on_data=self._transport.write)
        self._pool.give_back(upstream)


def request_bytes(path: bytes, body: bytes) -> bytes:
    """Return the request as it goes to the provider."""
    return b"POST %b HTTP/1.1\r\nhost: upstream\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        path,
        len(body),
        body,
    )


def asgi_forwarder(pool: Pool) -> Callable[..., Awaitable[None]]:
    """Return an ASGI application that forwards bodies and relays pieces."""

    async def app(
        scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        upstream = await pool.take()
        pieces: asyncio.Queue[bytes] = asyncio.Queue()
        end = upstream.exchange(request_bytes(scope["raw_path"], body), on_body=pieces.put_nowait)
        end.add_done_callback(lambda _: pieces.put_nowait(b""))
        piece = await pieces.get()
        headers = [(b"content-type", b"text/event-stream" if piece.startswith(b"data:") else b"application/json")]
        await send({"type": "http.response.start", "status": upstream.status, "headers": headers})
        while piece:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            piece = await pieces.get()
        await send({"type": "http.response.body"})
        pool.give_back(upstream)

    return app


async def _serve_raw(port: int, pool: Pool) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: RawRelay(pool), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    kind, own_port, upstream_port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if kind == "raw":
        uvloop.run(_serve_raw(own_port, Pool(upstream_port)))
    else:
        config = uvicorn.Config(
            asgi_forwarder(Pool(upstream_port)),
            port=own_port,
            loop="uvloop",
            http="httptools",
            log_config=None,
            ws="none",
        )
        uvicorn.Server(config).run()
