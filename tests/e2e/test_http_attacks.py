"""Bytes that no client library sends, against a real process: smuggling shapes, pipelines, upgrades, slow readers."""

import json
import re
import resource
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
from tests.support.mock_upstream import MockUpstream
from tests.support.service import Service, mock_config, running, wait_until

CHAT = "POST /v1/chat/completions"
SLOW, STREAM, LARGE = "slow/first_byte-0.2", "stream/chunks-5/gap-0.02", "large/huge-50000000"
HEALTH = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture(scope="module")
def service(upstream: MockUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("http")
    models = [{"model": model} for model in ("good", "echo", SLOW, STREAM, LARGE)]
    mock_config(folder, upstream.url, models, limits={"max_body_bytes": 1_000_000})
    with running(folder) as started:
        yield started


def asking(model: str, head: str = f"{CHAT} HTTP/1.1", extra: str = "", **fields: Any) -> bytes:
    body = json.dumps({"model": f"mock:{model}", "messages": [{"role": "user", "content": "x"}], **fields}).encode()
    return f"{head}\r\nhost: x\r\n{extra}content-length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def connected(service: Service, timeout_s: float = 10.0) -> Iterator[socket.socket]:
    parts = urlsplit(service.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=timeout_s) as connection:
        yield connection


def said(service: Service, sent: bytes, until: bytes | None = None) -> bytes:
    """Send bytes and return everything that comes back until a mark, or until the service closes."""
    with connected(service) as connection:
        connection.sendall(sent)
        return _read(connection, until)


def _read(connection: socket.socket, until: bytes | None = None) -> bytes:
    got = b""
    while until is None or until not in got:
        piece = connection.recv(1 << 20)
        if not piece:
            break
        got += piece
    return got


def statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", answers)]


SMUGGLING = {
    "both lengths": "content-length: 5\r\ntransfer-encoding: chunked\r\n",
    "two lengths": "content-length: 5\r\ncontent-length: 6\r\n",
    "a signed length": "content-length: +5\r\n",
    "an endless length": "content-length: 99999999999999999999\r\n",
    "an unknown coding": "transfer-encoding: xchunked\r\n",
    "chunked not last": "transfer-encoding: chunked, identity\r\n",
    "a space before the colon": "transfer-encoding : chunked\r\n",
    "a folded header": "x: a\r\n transfer-encoding: chunked\r\n",
    "a NUL in a value": "x: a\x00b\r\n",
    "a bare CR": "x: a\rcontent-length: 5\r\n",
    "a bare LF": "x: a\ncontent-length: 5\r\n",
}


@pytest.mark.parametrize("headers", SMUGGLING.values(), ids=SMUGGLING.keys())
def test_a_head_that_two_servers_could_read_in_two_ways_is_refused_and_the_connection_closed(
    service: Service, headers: str
) -> None:
    answers = said(service, f"{CHAT} HTTP/1.1\r\nhost: x\r\n{headers}\r\n".encode() + b"0\r\n\r\n" + HEALTH)
    assert statuses(answers) == [400]


@pytest.mark.parametrize("chunk", [b"ZZ\r\n{}\r\n", b"FFFFFFFFFFFFFFFFFF\r\n{}", b"-2\r\n{}\r\n", b"2\r\n{}0\r\n\r\n"])
def test_a_chunk_that_is_framed_wrongly_ends_the_connection(service: Service, chunk: bytes) -> None:
    head = f"{CHAT} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    assert statuses(said(service, head + chunk + HEALTH)) == [400]


@pytest.mark.parametrize("line", ["CONNECT a:80", "GET http://nowhere", "GET \x00", "PRI *"])
def test_a_target_that_names_no_path_is_refused(service: Service, line: str) -> None:
    assert statuses(said(service, f"{line} HTTP/1.1\r\nhost: x\r\n\r\n".encode())) == [400]


def test_pipelined_calls_are_answered_in_their_order(service: Service) -> None:
    calls = asking(SLOW) + asking(STREAM, stream=True) + asking("good") + asking(STREAM, stream=True) + HEALTH
    answers = said(service, calls, until=b'{"status":"ok"}')
    assert statuses(answers) == [200] * 5
    models = re.findall(rb"x-trimtab-model: mock:(\w+)", answers)
    assert models == [b"slow", b"stream", b"good", b"stream"]
    assert answers.count(b"data: [DONE]") == 2


def test_a_broken_request_behind_a_stream_is_not_answered_inside_it(service: Service) -> None:
    answers = said(service, asking(STREAM, stream=True) + b"\x00 nonsense\r\n\r\n")
    assert 400 not in statuses(answers)


def test_attack_15_a_flood_of_pipelined_requests_is_cut_off_and_takes_no_memory(service: Service) -> None:
    process = psutil.Process(service.process.pid)
    before = process.memory_info().rss
    with connected(service, timeout_s=1.0) as connection:
        assert _n_sent(connection, HEALTH * 2_000, at_most=200) < 200
    assert process.memory_info().rss - before < 30_000_000
    assert service.ask("GET", "/healthz").status == 200


def _n_sent(connection: socket.socket, data: bytes, *, at_most: int) -> int:
    """Send the same again and again, reading nothing; return how often before the service would take no more."""
    for n_sent in range(at_most):
        try:
            connection.sendall(data)
        except OSError:
            return n_sent
    return at_most


@pytest.mark.parametrize("token", ["h2c", "websocket"])
def test_an_offered_upgrade_is_declined_and_the_call_is_answered(service: Service, token: str) -> None:
    offer = f"connection: Upgrade, HTTP2-Settings\r\nupgrade: {token}\r\nHTTP2-Settings: AAMAAABk\r\n"
    answers = said(service, asking("good", extra=offer) + asking("good", extra=offer) + HEALTH, until=b'"ok"}')
    assert statuses(answers) == [200, 200, 200]


def test_the_body_behind_an_offered_upgrade_is_never_read_as_a_request(service: Service) -> None:
    hidden = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"
    head = f"{CHAT} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-length: {len(hidden)}\r\n\r\n"
    with connected(service) as connection:
        connection.sendall(head.encode())
        time.sleep(0.1)
        connection.sendall(hidden + HEALTH)
        answers = _read(connection, until=b'"ok"}')
    assert statuses(answers) == [400, 200]
    assert b"trimtab_calls" not in answers


def test_an_http_1_0_client_gets_no_chunks(service: Service) -> None:
    whole = said(service, asking("good", head=f"{CHAT} HTTP/1.0"))
    streamed = said(service, asking(STREAM, head=f"{CHAT} HTTP/1.0", stream=True))
    assert statuses(whole + streamed) == [200, 200]
    assert b"transfer-encoding" not in streamed
    assert streamed.endswith(b"\n\ndata: [DONE]\n\n")


def test_a_client_that_asks_to_close_is_closed_on(service: Service) -> None:
    answers = said(service, asking("good", extra="connection: close\r\n") + HEALTH)
    assert statuses(answers) == [200]
    assert b"connection: close" in answers


def test_a_client_that_waits_to_be_told_to_go_on_is_told(service: Service) -> None:
    head, _, body = asking("good", extra="expect: 100-continue\r\n").partition(b"\r\n\r\n")
    with connected(service) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert _read(connection, until=b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body + HEALTH)
        assert statuses(_read(connection, until=b'"ok"}')) == [200, 200]


def test_a_health_check_by_head_has_no_body(service: Service) -> None:
    answers = said(service, b"HEAD /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert statuses(answers) == [200]
    assert answers.endswith(b"\r\n\r\n")


def test_the_slowest_reader_gets_fifty_megabytes_whole_while_others_are_served(service: Service) -> None:
    with connected(service) as connection:
        connection.sendall(asking(LARGE, extra="connection: close\r\n"))
        time.sleep(1.0)
        assert service.chat("mock:good").status == 200
        answer = _read(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert len(json.loads(body)["choices"][0]["message"]["content"]) == 50_000_000


def test_a_thousand_idle_connections_hinder_nobody(service: Service) -> None:
    idle = []
    try:
        for _ in range(1_000):
            idle.append(socket.create_connection((urlsplit(service.url).hostname, urlsplit(service.url).port)))
        started_s = time.monotonic()
        assert service.chat("mock:good").status == 200
        assert time.monotonic() - started_s < 2.0
    finally:
        for connection in idle:
            connection.close()
    wait_until(lambda: len(psutil.Process(service.process.pid).net_connections()) < 100)


@pytest.mark.skipif(sys.platform != "linux", reason="a running process's limits are read by prlimit, Linux only")
def test_a_service_takes_as_many_connections_as_the_system_lets_it(upstream: MockUpstream, tmp_path: Path) -> None:
    mock_config(tmp_path, upstream.url, [{"model": "good"}])
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (500, most))
    try:
        with running(tmp_path) as started:
            limits = resource.prlimit(started.process.pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))
    assert limits == (most, most)
