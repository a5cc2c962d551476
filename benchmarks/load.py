"""The load generator, a process of its own: bare connections, keep-alive, as many calls as it is told.

Closed loop (``rate`` 0): each connection asks again as soon as it has its answer. Open loop: calls start on schedule
whatever the answers do, and latency counts from the schedule, so a stall is not hidden by asking less.
"""

import asyncio
import json
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import cast

import httptools
import uvloop

_STAMP = re.compile(rb"t=(\d+);")


@dataclass(frozen=True)
class Order:
    """What to send, and how."""

    port: int
    n_calls: int
    path: str = "/v1/chat/completions"
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    n_connections: int = 16
    rate_per_s: float = 0.0
    """0 is a closed loop."""


@dataclass(frozen=True)
class Outcome:
    """What came back. Milliseconds; quantiles over all calls or chunks."""

    n_calls: int
    n_errors: int
    wall_s: float
    latency_p50_ms: float
    latency_p99_ms: float
    n_chunks: int = 0
    """Stamped chunks received."""
    n_arrivals: int = 0
    """Reads that held at least one of them; fewer than chunks when they came together."""
    lateness_p50_ms: float = 0.0
    """From the upstream's stamp to the client."""
    first_error: str = ""


class Connection(asyncio.Protocol):
    """One connection; one call at a time."""

    def __init__(self) -> None:
        self.lateness_ns: list[int] = []
        self.n_arrivals = 0
        self.may_be_kept = True
        """Whether another call may go on it: some servers close after each stream."""
        self._done: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class only looks like one

    async def call(self, request: bytes) -> int:
        """Send and wait for the whole answer; return its status."""
        self._parser = httptools.HttpResponseParser(self)
        self._body = bytearray()
        self.n_bytes = 0
        self._searched = 0
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._done

    def data_received(self, data: bytes) -> None:
        """Parse, and read the stamps that came with these bytes."""
        now_ns = time.monotonic_ns()
        self.n_bytes += len(data)
        self._parser.feed_data(data)
        n_before = len(self.lateness_ns)
        for match in _STAMP.finditer(self._body, self._searched):
            self.lateness_ns.append(now_ns - int(match[1]))
            self._searched = match.end()
        self.n_arrivals += len(self.lateness_ns) > n_before

    def connection_lost(self, exc: Exception | None) -> None:
        """End the call under way as an error."""
        self.may_be_kept = False
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionError("closed before the answer was whole"))

    def close(self) -> None:
        """Give it up."""
        self._transport.close()

    def on_body(self, piece: bytes) -> None:
        """Collect."""
        self._body += piece

    def on_message_complete(self) -> None:
        """The answer is whole."""
        assert self._done is not None
        self.may_be_kept = self._parser.should_keep_alive()
        self._done.set_result(self._parser.get_status_code())


class Load:
    """Sends one order."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._request = _request(order)
        self._latencies_s: list[float] = []
        self._errors: list[str] = []
        self._all: list[Connection] = []
        self._idle: list[Connection] = []

    async def run(self) -> Outcome:
        """Send every call and return what came back."""
        started_s = time.monotonic()
        await (self._open_loop() if self._order.rate_per_s else self._closed_loop())
        wall_s = time.monotonic() - started_s
        lateness_ms = sorted(ns / 1e6 for connection in self._all for ns in connection.lateness_ns)
        latencies_ms = sorted(s * 1000 for s in self._latencies_s)
        return Outcome(
            n_calls=len(latencies_ms),
            n_errors=len(self._errors),
            wall_s=wall_s,
            latency_p50_ms=_quantile(latencies_ms, 0.50),
            latency_p99_ms=_quantile(latencies_ms, 0.99),
            n_chunks=len(lateness_ms),
            n_arrivals=sum(connection.n_arrivals for connection in self._all),
            lateness_p50_ms=_quantile(lateness_ms, 0.50),
            first_error=self._errors[0] if self._errors else "",
        )

    async def _closed_loop(self) -> None:
        left = iter(range(self._order.n_calls))

        async def worker() -> None:
            for _ in left:
                await self._one(time.monotonic())

        await asyncio.gather(*(worker() for _ in range(self._order.n_connections)))

    async def _open_loop(self) -> None:
        started_s = time.monotonic()
        calls = []
        for index in range(self._order.n_calls):
            due_s = started_s + index / self._order.rate_per_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            calls.append(asyncio.create_task(self._one(due_s)))
        await asyncio.gather(*calls)

    async def _one(self, due_s: float) -> None:
        try:
            connection, status = await self._answered()
        except (OSError, httptools.HttpParserError) as exc:
            self._errors.append(f"{type(exc).__name__}: {exc}")
            return
        if connection.may_be_kept:
            self._idle.append(connection)
        else:
            connection.close()
        if status != 200:
            self._errors.append(f"status {status}: {bytes(connection._body[:300])!r}")
        self._latencies_s.append(time.monotonic() - due_s)

    async def _answered(self) -> tuple[Connection, int]:
        """Ask on a kept connection; on a new one where the server closed that in silence, as llama.cpp does."""
        kept = self._kept()
        if kept is not None:
            try:
                return kept, await kept.call(self._request)
            except ConnectionError:
                if kept.n_bytes:
                    raise
        connection = await self._connect()
        return connection, await connection.call(self._request)

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.may_be_kept:
                return connection
        return None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, "127.0.0.1", self._order.port)
        self._all.append(connection)
        return connection


def _request(order: Order) -> bytes:
    body = order.body.encode()
    headers = {
        "host": f"127.0.0.1:{order.port}",
        "content-type": "application/json",
        "content-length": str(len(body)),
        **order.headers,
    }
    lines = [f"POST {order.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def _quantile(ordered: list[float], fraction: float) -> float:
    """Return the value at a fraction of a sorted list, the next lower one where it falls between; 0 for none."""
    return ordered[int(fraction * (len(ordered) - 1))] if ordered else 0.0


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(Load(Order(**json.load(sys.stdin))).run()))))
