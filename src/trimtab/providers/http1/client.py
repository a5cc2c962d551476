"""The pool: connections to one origin, opened when needed, kept for a while, closed when in doubt."""

import asyncio
import ssl
import time
from collections import deque
from pathlib import Path

from trimtab.core.errors import ConfigurationError, UpstreamError
from trimtab.providers.http1.address import Origin, resolve
from trimtab.providers.http1.connection import Connection
from trimtab.providers.http1.errors import ConnectFailed, ConnectionCut, ConnectTimeout, PoolExhausted
from trimtab.providers.http1.exchange import Exchange

STALE_WITHIN_S = 1.0
"""A reused connection lost this soon after a request, with no byte of a response, was closed by the peer before the
request arrived: repeating is safe. Later the peer may have worked on it, and a repetition could be paid twice."""


class Http1Client:
    """Sends requests to one origin. It follows no redirect, asks for no compression and parses no body.

    Args:
        origin: Where every connection goes.
        max_connections: Open at a time; more requests wait.
        keep_s: An unused connection is closed after this long.
        connect_s: Name lookup, TCP and TLS together.
        first_byte_s: From the request written to the response head.
        idle_s: Longest silence within a body.
        allow_link_local: Permit link-local and metadata addresses.
        ca_file: Certificates (PEM) to trust instead of the system's.

    Raises:
        ConfigurationError: ``ca_file`` cannot be read or holds no certificate.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        max_connections: int = 256,
        keep_s: float = 30.0,
        connect_s: float = 5.0,
        first_byte_s: float = 300.0,
        idle_s: float = 60.0,
        allow_link_local: bool = False,
        ca_file: Path | None = None,
    ) -> None:
        self.origin = origin
        self._max_connections = max_connections
        self._keep_s = keep_s
        self._connect_s = connect_s
        self._first_byte_s = first_byte_s
        self._idle_s = idle_s
        self._allow_link_local = allow_link_local
        # The system's certificates take 20 ms to load and wait for the first call; a configured file is checked now.
        self._tls = None if ca_file is None else _tls_context(ca_file)
        self._open: set[Connection] = set()
        self._idle: deque[Connection] = deque()
        self._n_opening = 0
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def n_open(self) -> int:
        """Connections open or being opened."""
        return len(self._open) + self._n_opening

    @property
    def n_idle(self) -> int:
        """Connections open and unused."""
        return len(self._idle)

    async def request(self, head: bytes, body: bytes, *, label: str, deadline_s: float) -> Exchange:
        """Send one request and return once the response head has arrived.

        A kept connection that turns out to be closed is replaced once by a fresh one (see ``STALE_WITHIN_S``);
        nothing else is repeated here.

        Args:
            head: Request line and headers, ended by an empty line, with ``content-length``.
            body: Sent together with the head.
            label: Begins every error message.
            deadline_s: ``time.monotonic()`` value after which the exchange is over.

        Raises:
            ConnectFailed: no connection.
            AddressRefused: the host leads to a refused address.
            ConnectTimeout: no connection in time.
            PoolExhausted: all connections stayed busy.
            HeadTimeout: no response head in time.
            ConnectionCut: closed before the response head.
            NotHttp: not a usable HTTP response.
        """
        connection = await self._acquire(label, deadline_s)
        is_reused, sent_s = connection.n_exchanges > 0, time.monotonic()
        try:
            return await self._exchange_on(connection, head, body, label, deadline_s)
        except ConnectionCut:
            if not (is_reused and connection.is_silent and time.monotonic() - sent_s < STALE_WITHIN_S):
                raise
        self._drop_idle()  # its neighbours are as old; only a fresh one is worth the one repetition
        return await self._exchange_on(await self._acquire(label, deadline_s), head, body, label, deadline_s)

    async def _exchange_on(
        self, connection: Connection, head: bytes, body: bytes, label: str, deadline_s: float
    ) -> Exchange:
        exchange = connection.send(head, body, label=label, deadline_s=deadline_s, first_byte_s=self._first_byte_s)
        await exchange.wait_for_head()
        return exchange

    async def aclose(self) -> None:
        """Close unused connections; used ones close when their exchange ends."""
        self._is_closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        self._drop_idle()

    # getting a connection

    async def _acquire(self, label: str, deadline_s: float) -> Connection:
        while True:
            while self._idle:
                connection = self._idle.pop()  # the most recently used: the rest may rest, and close
                if connection.is_usable:
                    return connection
            if self.n_open < self._max_connections:
                return await self._connect(label, deadline_s)
            handed = await self._wait_for_one(label, deadline_s)
            if handed is not None and handed.is_usable:
                return handed

    async def _wait_for_one(self, label: str, deadline_s: float) -> Connection | None:
        """Return a connection handed over by another exchange, or ``None`` when there is room for a new one."""
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(deadline_s - time.monotonic()):
                return await waiter
        except (TimeoutError, asyncio.CancelledError) as exc:
            if waiter.done() and not waiter.cancelled():  # woken and leaving in the same moment: the next one's turn
                self._pass_on(waiter.result())
            if isinstance(exc, TimeoutError):
                raise PoolExhausted(
                    f"{label}: all {self._max_connections} connections stayed busy until the deadline.",
                    hint="Raise max_connections of the provider.",
                ) from exc
            raise

    def _pass_on(self, connection: Connection | None) -> None:
        if connection is not None and connection.is_usable:
            self.on_reusable(connection)
        else:
            self._wake_one(None)

    async def _connect(self, label: str, deadline_s: float) -> Connection:
        self._n_opening += 1
        limit_s = min(self._connect_s, max(0.0, deadline_s - time.monotonic()))
        connection: Connection | None = None
        try:
            async with asyncio.timeout(limit_s):
                connection = await self._open_one(limit_s)
        except TimeoutError as exc:
            raise ConnectTimeout(f"{label}: no connection to {self.origin.authority} in {limit_s:.1f} s.") from exc
        except UpstreamError as exc:
            raise type(exc)(f"{label}: {exc.message}.", hint=exc.hint) from exc
        except OSError as exc:
            raise ConnectFailed(f"{label}: no connection to {self.origin.authority} ({exc}).") from exc
        finally:
            self._n_opening -= 1
            if connection is None:
                self._wake_one(None)
        self._open.add(connection)
        return connection

    async def _open_one(self, limit_s: float) -> Connection:
        """Connect to the first address that answers; each has its share of the time."""
        loop = asyncio.get_running_loop()
        addresses = await resolve(self.origin, allow_link_local=self._allow_link_local)
        is_tls = self.origin.is_tls
        failure: OSError | None = None
        for address in addresses:
            try:
                async with asyncio.timeout(limit_s / len(addresses)):
                    _, connection = await loop.create_connection(
                        lambda: Connection(self, idle_s=self._idle_s),
                        address,
                        self.origin.port,
                        ssl=self._trusted() if is_tls else None,
                        server_hostname=self.origin.host if is_tls else None,
                    )
            except OSError as exc:  # TimeoutError and ssl.SSLError are OSErrors too
                failure = exc
            else:
                if connection.is_usable:
                    return connection
                failure = ConnectionResetError("closed as soon as it was opened")
        raise failure or ConnectFailed(f"host {self.origin.host!r} has no address")

    def _trusted(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = _tls_context(None)
        return self._tls

    # what connections tell

    def on_reusable(self, connection: Connection) -> None:
        """Give the connection to who waits longest, or keep it."""
        if self._is_closed:
            connection.abort()
        elif not self._wake_one(connection):
            connection.idle_since_s = time.monotonic()
            self._idle.append(connection)
            if self._sweeper is None:
                self._sweeper = asyncio.get_running_loop().call_later(self._keep_s, self._sweep)

    def on_lost(self, connection: Connection) -> None:
        """Forget a closed connection; its place is free."""
        if connection in self._open:
            self._open.remove(connection)
            if connection in self._idle:
                self._idle.remove(connection)
            self._wake_one(None)

    def _wake_one(self, connection: Connection | None) -> bool:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False

    def _drop_idle(self) -> None:
        while self._idle:
            self._idle.pop().abort()

    def _sweep(self) -> None:
        """Close what was unused for too long. The deque is ordered by it: the longest unused are at the left."""
        self._sweeper = None
        now_s = time.monotonic()
        while self._idle and self._idle[0].idle_since_s + self._keep_s <= now_s + 0.01:
            self._idle.popleft().abort()
        if self._idle:
            wait_s = self._idle[0].idle_since_s + self._keep_s - now_s
            self._sweeper = asyncio.get_running_loop().call_later(wait_s, self._sweep)


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as exc:  # ssl.SSLError is one too
        raise ConfigurationError(
            f"ca_file {str(ca_file)!r} cannot be used: {exc.strerror or exc}.", hint="Name a PEM file of certificates."
        ) from exc
    context.set_alpn_protocols(["http/1.1"])
    return context
