"""One request's response as its reader sees it: status, headers, and chunks as they come."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from trimtab.core.errors import UpstreamError

# Hop-by-hop names (RFC 9110, 7.6.1), the length, which relaying may change, and cookies, which are between the
# provider and us.
_NOT_PASSED_ON = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

OnOver = Callable[[BaseException | None], None]
"""Told how an exchange ended: ``None`` when complete, ``CancelledError`` when its reader left, else the failure."""


class Line(Protocol):
    """What an exchange asks of the connection it runs on."""

    def resume(self) -> None:
        """Read on, if reading was paused because the reader was slow."""
        ...

    def abort(self) -> None:
        """Drop the connection."""
        ...


class Exchange:
    """Satisfies ``trimtab.gateway.upstream.UpstreamResponse`` once :meth:`wait_for_head` has returned.

    It owns what has arrived, so a connection whose response is complete is free at once, read or not.
    """

    __slots__ = (
        "_chunks",
        "_error",
        "_headers",
        "_is_complete",
        "_line",
        "_on_over",
        "_raw_headers",
        "_waiter",
        "deadline_s",
        "label",
        "n_waiting_bytes",
        "status",
    )

    def __init__(self, line: Line, *, label: str, deadline_s: float) -> None:
        self.label = label
        """Begins every error message, such as ``provider 'x', model 'y'``."""
        self.deadline_s = deadline_s
        """``time.monotonic()`` value after which it is over."""
        self.status = 0
        """HTTP status; 0 until the head is there."""
        self.n_waiting_bytes = 0
        """Body bytes that arrived and are not read yet."""
        self._line: Line | None = line
        self._chunks: deque[bytes] = deque()
        self._error: UpstreamError | None = None
        self._headers: dict[str, str] | None = None
        self._raw_headers: list[tuple[bytes, bytes]] = []
        self._is_complete = False
        self._on_over: OnOver | None = None
        self._waiter: asyncio.Future[None] | None = None

    # the reader's side

    @property
    def headers(self) -> Mapping[str, str]:
        """Lower-case names, repeated ones joined by commas; hop-by-hop ones, the length and cookies left out."""
        if self._headers is None:
            self._headers = _passed_on(self._raw_headers)
        return self._headers

    async def wait_for_head(self) -> None:
        """Return once status and headers have arrived; when cancelled, drop the connection.

        Raises:
            HeadTimeout: they did not arrive in time.
            ConnectionCut: the connection ended first.
            NotHttp: what arrived is no usable HTTP response.
        """
        try:
            while not self.status:
                if self._error is not None:
                    raise self._error
                await self._wait()
        except asyncio.CancelledError:
            self._leave()
            raise

    def chunks(self) -> "Exchange":
        """Iterate over the body as it arrives; what waited together comes together.

        Raises:
            BodyTimeout: the body fell silent or the deadline passed.
            ConnectionCut: the connection ended before the body did.
            NotHttp: the body's framing is broken.
        """
        return self

    def __aiter__(self) -> "Exchange":
        return self

    async def __anext__(self) -> bytes:
        chunks = self._chunks
        while not chunks:
            if self._is_complete:
                raise StopAsyncIteration
            if self._error is not None:
                raise self._error
            await self._wait()
        if len(chunks) == 1:
            chunk = chunks.popleft()
        else:
            chunk = b"".join(chunks)
            chunks.clear()
        self.n_waiting_bytes = 0
        if self._line is not None:
            self._line.resume()
        return chunk

    async def aclose(self) -> None:
        """Stop reading. A response still under way takes its connection with it."""
        self._leave()

    def when_over(self, callback: OnOver) -> None:
        """Call ``callback`` once when the exchange ends; at once if it has ended."""
        if self._line is not None:
            self._on_over = callback
        else:
            callback(self._error)

    # the connection's side

    def begin_body(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Take the head."""
        self.status = status
        self._raw_headers = headers
        self._wake()

    def take(self, piece: bytes) -> None:
        """Take a piece of the body."""
        self._chunks.append(piece)
        self.n_waiting_bytes += len(piece)
        self._wake()

    def silent_at_s(self, idle_s: float) -> float:
        """Return when the body counts as silent: ``idle_s`` from now, at most the deadline."""
        return min(time.monotonic() + idle_s, self.deadline_s)

    def end(self, error: UpstreamError | None) -> None:
        """Finish: complete when ``error`` is ``None``. What has arrived can still be read."""
        self._error = error
        self._is_complete = error is None
        self._over(error)

    def _leave(self) -> None:
        self._chunks.clear()
        line = self._line
        if line is not None:
            self._error = UpstreamError(f"{self.label}: the response was closed by its reader.")
            self._over(asyncio.CancelledError())
            line.abort()

    def _over(self, outcome: BaseException | None) -> None:
        self._line = None
        on_over, self._on_over = self._on_over, None
        if on_over is not None:
            on_over(outcome)
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter


def _passed_on(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    named: set[str] = set()
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name == "connection":
            named.update(token.strip().lower() for token in value.split(","))
        if name not in _NOT_PASSED_ON:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    for name in named & headers.keys():
        del headers[name]
    return headers
