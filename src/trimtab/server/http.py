"""uvicorn's httptools protocol with a deadline on the request's head, and word of a client that leaves."""

import asyncio
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

CONNECTION = "trimtab.connection"
"""Where a request's ASGI scope carries its :class:`GuardedProtocol`, among the extensions."""


class GuardedProtocol(HttpToolsProtocol):
    """Drops a connection whose request head does not arrive in time (slow loris).

    The application learns that its client left by :attr:`on_gone`. Waiting for ASGI's ``http.disconnect`` would take a
    task of its own for each call, which costs more than reading the request.
    """

    on_gone: Callable[[], object] | None = None
    """Called once when the client leaves; set by the call that is being served on this connection."""

    HEAD_TIMEOUT_S = 10.0
    MAX_HEAD_BYTES = 65_536

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

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it
        """Start the head's deadline."""
        super().connection_made(transport)
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = self.loop.call_later(self.HEAD_TIMEOUT_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline, and tell the call that is being served."""
        self._disarm()
        super().connection_lost(exc)
        if self.on_gone is not None:
            self.on_gone()

    def data_received(self, data: bytes) -> None:
        """Count bytes of the head; a head that never ends is cut."""
        if self._head_timer is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_timer is not None and self._head_bytes > self.MAX_HEAD_BYTES:
            self.transport.close()

    def on_headers_complete(self) -> None:
        """The head is here."""
        self._disarm()
        super().on_headers_complete()

    def on_message_begin(self) -> None:
        """Arm the deadline again for a further request on the connection."""
        if self._head_timer is None:
            self._head_bytes = 0
            self._head_timer = self.loop.call_later(self.HEAD_TIMEOUT_S, self.transport.close)
        super().on_message_begin()
        self.scope["extensions"] = {CONNECTION: self}  # type: ignore[dict-item]  # ASGI has dicts there

    def _disarm(self) -> None:
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
