"""One connection: an asyncio protocol around httptools' parser, carrying one exchange at a time."""

import asyncio
import time
from typing import Any, Protocol

import httptools

from trimtab.core.errors import UpstreamError
from trimtab.providers.http1.errors import BodyTimeout, ConnectionCut, HeadTimeout, NotHttp
from trimtab.providers.http1.exchange import Exchange

HIGH_WATER_BYTES = 256 * 1024
"""Reading pauses while this much of a body waits for its reader."""
MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 200


class Owner(Protocol):
    """What a connection tells the pool it belongs to."""

    def on_reusable(self, connection: "Connection") -> None:
        """The exchange is complete and the connection may carry another one."""
        ...

    def on_lost(self, connection: "Connection") -> None:
        """The connection is gone, whatever it was doing."""
        ...


class Connection(asyncio.Protocol):
    """One TCP or TLS connection to the origin of its pool."""

    __slots__ = (
        "_body",
        "_deadline_s",
        "_exchange",
        "_has_length",
        "_headers",
        "_idle_s",
        "_is_head_done",
        "_is_message_done",
        "_is_paused",
        "_loop",
        "_may_be_kept",
        "_n_overhead_bytes",
        "_owner",
        "_parser",
        "_timer",
        "_transport",
        "idle_since_s",
        "is_silent",
        "n_exchanges",
    )

    def __init__(self, owner: Owner, *, idle_s: float) -> None:
        self._owner = owner
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._parser: Any = httptools.HttpResponseParser(self)  # Any: httptools ships no types
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline_s = 0.0
        self._is_paused = False
        self.idle_since_s = 0.0
        self.n_exchanges = 0
        self._reset()

    def _reset(self) -> None:
        self._body: list[bytes] = []
        self._headers: list[tuple[bytes, bytes]] = []
        self._has_length = False
        self._is_head_done = False
        self._is_message_done = False
        self._may_be_kept = False
        self._n_overhead_bytes = 0
        self.is_silent = True
        """Whether not one byte has come since the last request was written."""

    @property
    def is_usable(self) -> bool:
        """Whether another exchange may start on it."""
        return self._transport is not None and self._exchange is None and not self._transport.is_closing()

    def send(self, head: bytes, body: bytes, *, label: str, deadline_s: float, first_byte_s: float) -> Exchange:
        """Write a request in one go, start the clock for the response head and return the exchange."""
        assert self._transport is not None, "the pool hands out usable connections only"
        self._reset()
        exchange = self._exchange = Exchange(self, label=label, deadline_s=deadline_s)
        self.n_exchanges += 1
        self._set_deadline(min(deadline_s, time.monotonic() + first_byte_s))
        self._transport.writelines((head, body))
        return exchange

    def resume(self) -> None:
        """Read on after the reader caught up."""
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            if self._exchange is not None:
                self._set_deadline(self._exchange.silent_at_s(self._idle_s))
            self._transport.resume_reading()

    def abort(self) -> None:
        """Drop the connection without a goodbye."""
        self._exchange = None
        if self._transport is not None:
            self._transport.abort()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; asyncio and uvloop switch TCP_NODELAY on for every TCP connection."""
        self._transport = transport  # type: ignore[assignment]  # create_connection always gives a Transport

    def data_received(self, data: bytes) -> None:
        """Parse, and hand on what came together as one piece."""
        exchange = self._exchange
        if exchange is None:  # nobody asked: a peer that talks out of turn is not used again
            self.abort()
            return
        self.is_silent = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(NotHttp(f"{exchange.label}: the provider switched to another protocol."))
            return
        except httptools.HttpParserError as exc:
            self._fail(_not_http(exchange, exc))
            return
        if self._body:
            self._n_overhead_bytes = 0
        else:  # a head, a chunk's extension or trailers that never end
            self._n_overhead_bytes += len(data)
            if self._n_overhead_bytes > MAX_HEAD_BYTES and not self._is_message_done:
                self._fail(_not_http(exchange, _Refused("a head without end")))
                return
        if self._is_head_done:
            self._hand_on(exchange)

    def _hand_on(self, exchange: Exchange) -> None:
        body = self._body
        if body:
            self._body = []
            exchange.take(body[0] if len(body) == 1 else b"".join(body))
        if self._is_message_done:
            self._complete(exchange)
        elif exchange.n_waiting_bytes > HIGH_WATER_BYTES:
            self._pause(exchange)
        else:
            self._set_deadline(exchange.silent_at_s(self._idle_s))

    def _pause(self, exchange: Exchange) -> None:
        """Stop reading; a slow reader is not the provider's silence, so only the total deadline runs on."""
        if self._transport is not None and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
            self._set_deadline(exchange.deadline_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the exchange: complete if its body runs until close, cut otherwise."""
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            is_whole = exc is None and self._is_head_done and not self._has_length
            exchange.end(None if is_whole else self._cut(exchange, exc))
        self._owner.on_lost(self)

    def _cut(self, exchange: Exchange, exc: Exception | None) -> ConnectionCut:
        how = "closed" if exc is None else f"lost ({exc})"
        where = "in the middle of the body" if self._is_head_done else "before the response head was whole"
        error = ConnectionCut(f"{exchange.label}: the connection was {how} {where}.")
        error.__cause__ = exc
        return error

    # httptools' side: what these raise comes out of feed_data as HttpParserCallbackError

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect one header; trailers are dropped."""
        if len(self._headers) >= MAX_HEADERS:
            raise _Refused(f"more than {MAX_HEADERS} headers")
        if not self._is_head_done:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Check the framing and hand the head on, unless it is an interim one (1xx)."""
        status = self._parser.get_status_code()
        if status < 200:
            return
        if status >= 600:
            raise _Refused(f"status {status}, which HTTP does not know")
        n_bytes = 0
        for name, value in self._headers:
            n_bytes += len(name) + len(value)
            if name == b"content-length":
                self._has_length = True
            elif name == b"transfer-encoding":
                self._has_length = True
                _require(value, b"chunked", "a transfer-encoding other than chunked")
            elif name == b"content-encoding":
                _require(value, b"identity", "a compressed body, though none was asked for")
        if n_bytes > MAX_HEAD_BYTES:
            raise _Refused(f"a head of more than {MAX_HEAD_BYTES} bytes")
        self._is_head_done = True
        if self._exchange is not None:
            self._exchange.begin_body(status, self._headers)

    def on_body(self, body: bytes) -> None:
        """Collect a piece; one read may hold many."""
        self._body.append(body)

    def on_message_begin(self) -> None:
        """Refuse a second response to one request."""
        if self._is_message_done:
            raise _Refused("bytes after the end of the response")

    def on_message_complete(self) -> None:
        """Note the end, or forget an interim head."""
        if self._is_head_done:
            self._is_message_done = True
            self._may_be_kept = self._parser.should_keep_alive()  # the parser forgets it right after this
        else:
            self._headers = []

    # ends

    def _complete(self, exchange: Exchange) -> None:
        self._exchange = None
        exchange.end(None)
        if self._may_be_kept and self.is_usable and self._is_written():
            self.resume()
            self._owner.on_reusable(self)
        elif self._transport is not None:
            self._transport.close()

    def _is_written(self) -> bool:
        """Whether the request has left: a provider may answer, and refuse, before it has read it all."""
        return self._transport is not None and self._transport.get_write_buffer_size() == 0

    def _fail(self, error: UpstreamError) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.end(error)
        self.abort()

    # One timer a connection: each piece pushes the deadline on without touching the loop's heap.

    def _set_deadline(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        timer = self._timer
        if timer is None or timer.when() > self._loop.time() + (deadline_s - time.monotonic()) + 0.05:
            self._arm(deadline_s)

    def _arm(self, deadline_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(max(0.0, deadline_s - time.monotonic()), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        exchange = self._exchange
        if exchange is None:
            return
        if time.monotonic() < self._deadline_s:
            self._arm(self._deadline_s)
        elif self._is_head_done:
            self._fail(BodyTimeout(f"{exchange.label}: the response fell silent or passed its deadline."))
        else:
            self._fail(HeadTimeout(f"{exchange.label}: no response head in time."))


class _Refused(Exception):
    """A rule of ours, broken by the response; the message names it."""


def _require(value: bytes, only: bytes, otherwise: str) -> None:
    if value.strip().lower() != only:
        raise _Refused(otherwise)


def _not_http(exchange: Exchange, exc: Exception) -> NotHttp:
    refused = exc if isinstance(exc, _Refused) else exc.__context__
    rule = str(refused) if isinstance(refused, _Refused) else "no valid HTTP/1.1 response"
    error = NotHttp(
        f"{exchange.label}: the provider sent {rule}.", hint="Check that base_url speaks plain HTTP/1.1 at that port."
    )
    error.__cause__ = exc
    return error
