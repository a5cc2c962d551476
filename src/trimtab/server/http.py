"""uvicorn's httptools protocol with limits on what a client may leave half done, and word of one that leaves."""

import asyncio
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

CONNECTION = "trimtab.connection"
"""Where a request's ASGI scope carries its :class:`GuardedProtocol`, among the extensions."""


class GuardedProtocol(HttpToolsProtocol):
    """Drops a connection that only takes up room: by a head that never ends, a flood of requests, or not reading.

    The application learns that its client left by :attr:`on_gone`. Waiting for ASGI's ``http.disconnect`` would take a
    task of its own for each call, which costs more than reading the request.
    """

    on_gone: Callable[[], object] | None = None
    """Called once when the client leaves; set by the call that is being served on this connection."""

    HEAD_TIMEOUT_S = 10.0
    MAX_HEAD_BYTES = 65_536
    MAX_PIPELINED = 32
    """Requests that may wait behind the one that is served. uvicorn has no limit, and each takes 3 kB."""
    LINGER_S = 30.0
    """How long the rest of a body is swallowed that was answered before its end; closing at once loses the answer."""
    STALL_S = 60.0
    """A client that reads nothing for so long is gone; its call would wait, and hold its budget, for ever."""

    @property
    def is_body_whole(self) -> bool:
        """Whether the newest request's body has arrived to its end."""
        return not self.cycle.more_body

    async def respond(
        self, scope: MutableMapping[str, Any], status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> bool:
        """Send a whole answer in one write; return ``False`` when it must go through ASGI's ``send`` instead.

        uvicorn looks at every header with two regular expressions and writes head and body apart, which takes as long
        as reading the request. Headers that come here are made or cleaned by Trimtab.

        Args:
            scope: Of the request that is answered.
            status: HTTP status.
            headers: With the body's length.
            body: All of it.
        """
        cycle = self.cycle
        if cycle.scope is not scope or cycle.response_started:  # a pipelined request came meanwhile
            return False
        if self.flow.write_paused and not cycle.disconnected:
            await self.flow.drain()
        if cycle.disconnected:
            return True
        parts = [STATUS_LINE[status]]
        for name, value in (*self.server_state.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
        parts += (b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n", body)
        self.transport.write(b"".join(parts))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()
        return True

    def frame_by_closing(self, scope: MutableMapping[str, Any]) -> bool:
        """Let the connection's end be the body's end, for a client that knows no chunks; return whether that can be."""
        if self.cycle.scope is not scope:
            return False
        self.cycle.chunked_encoding = False
        return True

    def expect(self, n_bytes: int) -> None:
        """Allow a piece of a body that :meth:`frame_by_closing` ends."""
        self.cycle.expected_content_length = n_bytes

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it
        """Start the head's deadline."""
        super().connection_made(transport)
        self._head_bytes = 0
        self._is_lingering = False
        self._stall_timer: asyncio.TimerHandle | None = None
        self._head_timer: asyncio.TimerHandle | None = self.loop.call_later(self.HEAD_TIMEOUT_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines, and tell the call that is being served."""
        self._disarm()
        self._forget_stall()
        super().connection_lost(exc)
        if self.on_gone is not None:
            self.on_gone()

    def data_received(self, data: bytes) -> None:
        """Parse; a head that never ends is cut."""
        if self._head_timer is not None:
            self._head_bytes += len(data)
        self._unset_keepalive_if_required()
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self._refuse()
            return
        if self._head_timer is not None:
            if self._head_bytes > self.MAX_HEAD_BYTES and not self._is_lingering:
                self.transport.close()
        elif self.cycle.response_complete and self.timeout_keep_alive_task is None:  # bytes that began no request
            self._rest()

    def _parse(self, data: bytes) -> None:
        """Feed the parser; where it stops at an offered upgrade, go on as if nothing had been offered.

        The parser takes what follows such a head for another protocol or another request, never for its body.
        """
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = self._head_without_offer() + data[offer.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
            else:
                return

    def _head_without_offer(self) -> bytes:
        lines = [b"%b %b HTTP/1.1\r\n" % (self.scope["method"].encode(), self.url)]
        lines += [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        return b"".join((*lines, b"\r\n"))

    def _should_upgrade(self) -> bool:
        """Keep uvicorn from serving a head with an offer: it comes again without. CONNECT has no other reading."""
        return bool(self.scope["method"] != "CONNECT")

    def _refuse(self) -> None:
        """Answer what is no request; where another answer is still to come all that can be done is to close."""
        cycle = self.cycle
        is_its_own = cycle is None or cycle.response_complete or (cycle.more_body and not cycle.response_started)
        if is_its_own and not self.pipeline:
            self.send_400_response("Invalid HTTP request received.")
        else:
            self.transport.close()

    def on_headers_complete(self) -> None:
        """The head is here."""
        self._disarm()
        if len(self.pipeline) >= self.MAX_PIPELINED:
            raise httptools.HttpParserError("too many requests wait for their turn")
        super().on_headers_complete()

    def on_message_begin(self) -> None:
        """Arm the deadline again for a further request on the connection."""
        if self._is_lingering:
            self._disarm()
        if self._head_timer is None:
            self._head_bytes = 0
            self._head_timer = self.loop.call_later(self.HEAD_TIMEOUT_S, self.transport.close)
        super().on_message_begin()
        self.scope["extensions"] = {CONNECTION: self}  # type: ignore[dict-item]  # ASGI has dicts there

    def on_response_complete(self) -> None:
        """Limit how long a body may go on that was answered before its end."""
        super().on_response_complete()
        if self.cycle.more_body and self.cycle.response_complete and self._head_timer is None:
            self._is_lingering = True
            self._head_timer = self.loop.call_later(self.LINGER_S, self.transport.close)

    def pause_writing(self) -> None:
        """The client reads slower than it is sent to; from now on it has to go on reading."""
        super().pause_writing()
        self._watch_for_stall()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._forget_stall()
        super().resume_writing()

    def _watch_for_stall(self) -> None:
        unread = self.transport.get_write_buffer_size()
        self._stall_timer = self.loop.call_later(self.STALL_S, self._end_if_stalled, unread)

    def _end_if_stalled(self, unread: int) -> None:
        if self.transport.get_write_buffer_size() >= unread:
            self.transport.abort()
        else:
            self._watch_for_stall()

    def _forget_stall(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _rest(self) -> None:
        """Arm the keep-alive timer again."""
        if not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _disarm(self) -> None:
        self._is_lingering = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def uvicorn_options(*, access_log: bool = False) -> dict[str, Any]:
    """Return the options both listeners share. ``Any``: keyword arguments of ``uvicorn.Config``."""
    return {
        "http": GuardedProtocol,
        "ws": "none",
        "lifespan": "off",
        "access_log": access_log,
        "log_config": None,
        "server_header": False,
        "date_header": True,
        "timeout_keep_alive": 75,
        "timeout_graceful_shutdown": 30,
        "proxy_headers": False,
    }
