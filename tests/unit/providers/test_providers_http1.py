"""The relay client against a real server on loopback: framing, pool, deadlines, back-pressure, refusals."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.support.mock_upstream import MockUpstream

from trimtab.core.errors import UpstreamError
from trimtab.providers.http1 import (
    AddressRefused,
    BodyTimeout,
    ConnectFailed,
    ConnectionCut,
    Exchange,
    HeadTimeout,
    Http1Client,
    NotHttp,
    Origin,
    PoolExhausted,
)


@asynccontextmanager
async def client_of(mock: MockUpstream, **limits: float) -> AsyncIterator[Http1Client]:
    client = Http1Client(Origin.of(mock.url), **limits)  # type: ignore[arg-type]  # numbers all
    try:
        yield client
    finally:
        await client.aclose()
        await asyncio.sleep(0)


async def ask(client: Http1Client, script: str, *, is_stream: bool = False, deadline_in_s: float = 10.0) -> Exchange:
    body = json.dumps({"model": f"mock/{script}", "stream": is_stream}).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
    return await client.request(head, body, label="test", deadline_s=time.monotonic() + deadline_in_s)


async def status_of(client: Http1Client, script: str, *, deadline_in_s: float = 10.0) -> int:
    """Return the status of one answer, and leave no connection behind: the body may come later than the head."""
    exchange = await ask(client, script, deadline_in_s=deadline_in_s)
    await exchange.aclose()
    return exchange.status


async def read(exchange: Exchange, *, into: list[bytes] | None = None) -> bytes:
    chunks = [] if into is None else into
    async for chunk in exchange.chunks():
        chunks.append(chunk)
    return b"".join(chunks)


def raw(response: str) -> str:
    return "raw-" + response.encode().hex()


async def test_a_connection_is_kept_and_used_again(mock_upstream: MockUpstream) -> None:
    async with client_of(mock_upstream) as client:
        for _ in range(3):
            exchange = await ask(client, "ok")
            assert exchange.status == 200
            assert json.loads(await read(exchange))["object"] == "chat.completion"
        assert mock_upstream.n_connections == 1
        assert (client.n_open, client.n_idle) == (1, 1)


async def test_a_chunk_comes_before_the_next_one_is_sent(mock_upstream: MockUpstream) -> None:
    async with client_of(mock_upstream) as client:
        exchange = await ask(client, "gate-a/chunks-3", is_stream=True)
        chunks = exchange.chunks()
        first = await anext(chunks)
        assert b'"w0 "' in first
        assert mock_upstream.seen[0].n_chunks_sent == 1
        mock_upstream.open_gate("a")
        assert b'"w1 "' in await anext(chunks)
        assert mock_upstream.seen[0].n_chunks_sent == 2
        await exchange.aclose()


async def test_a_body_without_length_ends_with_the_connection(mock_upstream: MockUpstream) -> None:
    async with client_of(mock_upstream) as client:
        exchange = await ask(client, "close")
        assert json.loads(await read(exchange))["object"] == "chat.completion"
        assert client.n_idle == 0


async def test_hop_by_hop_headers_cookies_and_what_connection_names_are_left_out(mock_upstream: MockUpstream) -> None:
    response = (
        "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nSet-Cookie: a=b\r\n"
        "Content-Length: 2\r\nX-Stays: 1\r\nX-Stays: 2\r\n\r\n{}"
    )
    async with client_of(mock_upstream) as client:
        exchange = await ask(client, raw(response))
        assert exchange.headers == {"x-stays": "1, 2"}
        assert await read(exchange) == b"{}"


async def test_interim_heads_are_passed_over(mock_upstream: MockUpstream) -> None:
    response = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    async with client_of(mock_upstream) as client:
        exchange = await ask(client, raw(response))
        assert (exchange.status, dict(exchange.headers), await read(exchange)) == (200, {}, b"{}")
        assert client.n_idle == 1


async def test_an_answer_without_a_body_keeps_the_connection(mock_upstream: MockUpstream) -> None:
    async with client_of(mock_upstream) as client:
        exchange = await ask(client, raw("HTTP/1.1 204 No Content\r\n\r\n"))
        assert (exchange.status, await read(exchange), client.n_idle) == (204, b"", 1)


@pytest.mark.parametrize(
    ("response", "rule"),
    [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "no valid HTTP"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "no valid HTTP"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "transfer-encoding other than chunked",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "compressed body"),
        ("HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 0\r\n\r\n", "no valid HTTP"),
        ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", "no valid HTTP"),
        ("HTTP/1.1 200 OK\r\nX: " + "y" * 70_000 + "\r\nContent-Length: 0\r\n\r\n", "head of more than 65536 bytes"),
        ("HTTP/1.1 200 OK\r\n" + "X: y\r\n" * 250 + "Content-Length: 0\r\n\r\n", "more than 200 headers"),
        ("HTTP/1.1 200 OK\r\n" + "X" * 400_000, "a head without end"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n", "bytes after the end"),
        ("SSH-2.0-OpenSSH\r\n", "no valid HTTP"),
    ],
)
async def test_a_response_that_breaks_framing_is_refused(mock_upstream: MockUpstream, response: str, rule: str) -> None:
    async with client_of(mock_upstream) as client:
        with pytest.raises(NotHttp, match=rule):
            await read(await ask(client, raw(response)))
        await asyncio.sleep(0.01)
        assert client.n_open == 0


async def test_a_stale_connection_is_replaced_silently(mock_upstream: MockUpstream) -> None:
    async with client_of(mock_upstream) as client:
        await read(await ask(client, "ok"))
        mock_upstream.close_idle_connections()
        assert await status_of(client, "ok") == 200
        assert len(mock_upstream.seen) == 2


async def test_a_reused_connection_that_drops_the_request_is_replaced_once(mock_upstream: MockUpstream) -> None:
    async with client_of(mock_upstream) as client:
        await read(await ask(client, "ok"))
        with pytest.raises(ConnectionCut):
            await ask(client, "drop")
        assert [seen.connection for seen in mock_upstream.seen] == [1, 1, 2]


async def test_a_fresh_connection_that_drops_the_request_is_not_replaced(mock_upstream: MockUpstream) -> None:
    async with client_of(mock_upstream) as client:
        for script in ("drop", "reset"):
            with pytest.raises(ConnectionCut, match="before the response head"):
                await ask(client, script)
        assert len(mock_upstream.seen) == 2


async def test_a_late_loss_is_not_repeated_because_the_model_may_have_worked(
    mock_upstream: MockUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab.providers.http1.client.STALE_WITHIN_S", 0.05)
    async with client_of(mock_upstream) as client:
        await read(await ask(client, "ok"))
        with pytest.raises(ConnectionCut):
            await ask(client, "drop/first_byte-0.1")
        assert len(mock_upstream.seen) == 2


async def test_a_cut_stream_gives_what_came_and_then_the_error(mock_upstream: MockUpstream) -> None:
    async with client_of(mock_upstream) as client:
        exchange = await ask(client, "cut-2", is_stream=True)
        got: list[bytes] = []
        with pytest.raises(ConnectionCut, match="in the middle of the body"):
            await read(exchange, into=got)
        assert b"".join(got).count(b"data: ") == 2


async def test_silence_before_the_head_and_within_the_body_are_told_apart(mock_upstream: MockUpstream) -> None:
    async with client_of(mock_upstream, first_byte_s=0.1, idle_s=0.1) as client:
        with pytest.raises(HeadTimeout):
            await ask(client, "hang")
        with pytest.raises(BodyTimeout):
            await read(await ask(client, "gate-never", is_stream=True))
        await asyncio.sleep(0.01)
        assert client.n_open == 0


async def test_the_deadline_ends_a_stream_that_is_not_silent(mock_upstream: MockUpstream) -> None:
    async with client_of(mock_upstream) as client:
        started = time.monotonic()
        with pytest.raises(BodyTimeout):
            await read(await ask(client, "chunks-1000/gap-0.01", is_stream=True, deadline_in_s=0.2))
        assert 0.15 < time.monotonic() - started < 2


async def test_a_slow_reader_stops_the_sender(mock_upstream: MockUpstream) -> None:
    size = 32 * 1024 * 1024
    async with client_of(mock_upstream, idle_s=0.2) as client:
        exchange = await ask(client, f"huge-{size}")
        await asyncio.sleep(0.5)  # longer than idle_s: a slow reader is not the provider's silence
        assert exchange.n_waiting_bytes < 2 * 1024 * 1024
        assert len(await read(exchange)) > size


async def test_closing_early_drops_the_connection_and_the_server_sees_it(mock_upstream: MockUpstream) -> None:
    async with client_of(mock_upstream) as client:
        exchange = await ask(client, "gate-never", is_stream=True)
        await anext(exchange.chunks())
        await exchange.aclose()
        await exchange.aclose()
        assert await asyncio.to_thread(mock_upstream.seen[0].client_left.wait, 5)
        with pytest.raises(UpstreamError):
            await anext(exchange.chunks())
        assert client.n_open == 0


async def test_cancelling_before_the_head_drops_the_connection(mock_upstream: MockUpstream) -> None:
    async with client_of(mock_upstream) as client:
        task = asyncio.create_task(ask(client, "hang"))
        seen = await asyncio.to_thread(mock_upstream.wait_for, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(seen.client_left.wait, 5)


async def test_requests_beyond_the_pool_wait_and_give_up_at_their_deadline(mock_upstream: MockUpstream) -> None:
    async with client_of(mock_upstream, max_connections=1) as client:
        first = asyncio.create_task(ask(client, "first_byte-0.2"))
        await asyncio.to_thread(mock_upstream.wait_for, 1)
        with pytest.raises(PoolExhausted, match="all 1 connections"):
            await ask(client, "ok", deadline_in_s=0.05)
        second = asyncio.create_task(ask(client, "ok"))
        exchanges = [await first, await second]
        assert [exchange.status for exchange in exchanges] == [200, 200]
        assert mock_upstream.n_connections == 1
        for exchange in exchanges:
            await exchange.aclose()


async def test_a_cancelled_waiter_does_not_lose_the_connection_it_was_handed(mock_upstream: MockUpstream) -> None:
    async with client_of(mock_upstream, max_connections=1) as client:
        holder = await ask(client, "gate-a/chunks-1", is_stream=True)
        waiter = asyncio.create_task(ask(client, "ok"))
        await asyncio.sleep(0)
        for _ in range(4):
            mock_upstream.open_gate("a")
        holder.when_over(lambda _: (waiter.cancel(), None)[1])  # in the same loop turn as the hand-over
        await read(holder)
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert await status_of(client, "ok", deadline_in_s=2) == 200


async def test_unused_connections_are_closed(mock_upstream: MockUpstream) -> None:
    async with client_of(mock_upstream, keep_s=0.05) as client:
        await read(await ask(client, "ok"))
        assert client.n_idle == 1
        await asyncio.sleep(0.15)
        assert (client.n_idle, client.n_open) == (0, 0)


async def test_nobody_listening_is_a_failed_connection() -> None:
    client = Http1Client(Origin(host="127.0.0.1", port=1, is_tls=False))
    with pytest.raises(ConnectFailed, match=r"test: no connection to 127\.0\.0\.1:1"):
        await ask(client, "ok")
    assert client.n_open == 0


async def test_attack_10_a_redirect_to_a_metadata_address_is_returned_not_followed(mock_upstream: MockUpstream) -> None:
    async with client_of(mock_upstream) as client:
        exchange = await ask(client, "redirect")
        assert exchange.status == 302
        assert len(mock_upstream.seen) == 1


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[::a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
    ],
)
async def test_attack_10_metadata_addresses_in_any_spelling_are_refused(host: str) -> None:
    client = Http1Client(Origin.of(f"http://{host}"))
    with pytest.raises(AddressRefused, match="link-local or metadata"):
        await ask(client, "ok")
    assert client.n_open == 0


async def test_attack_10_the_address_checked_is_the_address_connected_to(
    mock_upstream: MockUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["127.0.0.1", "169.254.169.254"])  # a name that moves between two look-ups (DNS rebinding)
    asked: list[str] = []

    async def rebinding(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(2, 1, 6, "", (next(answers) if host == "rebind.test" else host, port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", rebinding)
    client = Http1Client(Origin(host="rebind.test", port=mock_upstream.port, is_tls=False))
    assert await status_of(client, "close") == 200
    assert asked.count("rebind.test") == 1
    await client.aclose()
