"""Limits of one connection, with the server's own protocol and its times cut short."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
import uvloop

from trimtab.server.http import GuardedProtocol, uvicorn_options

REQUEST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n"


class Quick(GuardedProtocol):
    LINGER_S = 0.5
    STALL_S = 0.4
    HEAD_TIMEOUT_S = 0.4


class Site(uvicorn.Server):
    """A server in a thread of its own, whose application answers with ``n_bytes`` and reads nothing."""

    n_bytes = 2
    is_gone = False
    """Whether a call was told that its client left."""

    def __init__(self) -> None:
        options = {**uvicorn_options(), "http": Quick, "timeout_keep_alive": 1, "interface": "asgi3"}
        super().__init__(uvicorn.Config(self.answer, **options))
        self.listener = socket.create_server(("127.0.0.1", 0))

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        connection = scope["extensions"]["trimtab.connection"]
        connection.on_gone = lambda: setattr(self, "is_gone", True)
        headers = [(b"content-length", b"%d" % self.n_bytes)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * self.n_bytes})

    def install_signal_handlers(self) -> None:
        """The test's process keeps its own."""

    def run_here(self) -> None:
        uvloop.run(self.serve(sockets=[self.listener]))

    def connect(self) -> socket.socket:
        return socket.create_connection(self.listener.getsockname(), timeout=5)


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.run_here)
    thread.start()
    yield site
    site.should_exit = True
    thread.join()


def lasted_s(connection: socket.socket, act: Callable[[], object] = lambda: None) -> float:
    """Return how long the service kept the connection, doing something every tenth of a second meanwhile."""
    started_s = time.monotonic()
    connection.settimeout(0.1)
    while time.monotonic() < started_s + 4:
        try:
            act()
            if not connection.recv(65536):
                break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    return time.monotonic() - started_s


def test_attack_15_a_connection_that_says_nothing_is_closed(site: Site) -> None:
    with site.connect() as connection:
        assert lasted_s(connection) < 2


def test_attack_15_bytes_that_begin_no_request_do_not_keep_a_connection_for_ever(site: Site) -> None:
    with site.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert connection.recv(1000).endswith(b"xx")
        connection.sendall(b"\r\n")
        assert lasted_s(connection) < 3


def test_attack_15_a_body_that_drips_on_after_its_answer_is_cut_off(site: Site) -> None:
    with site.connect() as connection:
        connection.sendall(REQUEST)
        assert connection.recv(1000).endswith(b"xx")
        assert 0.3 < lasted_s(connection, lambda: connection.sendall(b"x")) < 2


def test_a_body_that_ends_soon_after_its_answer_leaves_a_connection_for_the_next_request(site: Site) -> None:
    with site.connect() as connection:
        for _ in range(3):
            connection.sendall(REQUEST)
            assert connection.recv(1000).endswith(b"xx")
            time.sleep(0.3)
            connection.sendall(b"x" * 100_000)


def test_attack_15_a_client_that_reads_nothing_is_given_up_and_its_call_told(site: Site) -> None:
    site.n_bytes = 20_000_000
    with site.connect() as connection:
        connection.sendall(REQUEST)
        time.sleep(1.5)
        assert site.is_gone
        assert _n_received(connection) < site.n_bytes


def test_a_client_that_reads_slowly_gets_everything(site: Site) -> None:
    site.n_bytes = 20_000_000
    with site.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert _n_received(connection, pause_s=0.01) > site.n_bytes


def _n_received(connection: socket.socket, pause_s: float = 0.0) -> int:
    received = 0
    while True:
        time.sleep(pause_s)
        try:
            piece = connection.recv(100_000)
        except ConnectionError:
            return received
        if not piece:
            return received
        received += len(piece)
