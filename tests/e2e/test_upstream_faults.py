"""Answers that no decent provider gives, through a real process: what the caller gets, and that it is written down."""

import contextlib
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.support.service import Answer, Service, mock_config, running, wait_until

POLICY = """
policy: faults
organisation: {sensitivity: public, mode: fixed}
"""
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def answer_of(text: str = "Hi.", finish: str = "stop", usage: object = USAGE) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return json.dumps({"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()


def sized(body: bytes, head: bytes = HEAD, length: int | None = None) -> bytes:
    return head + b"content-length: %d\r\n\r\n" % (len(body) if length is None else length) + body


def event(text: str = "", *, usage: object = None) -> bytes:
    choices = [] if usage else [{"index": 0, "delta": {"content": text}, "finish_reason": None}]
    return (
        b"data: " + json.dumps({"id": "c", "choices": choices, "usage": usage}, ensure_ascii=False).encode() + b"\n\n"
    )


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


DONE = b"data: [DONE]\n\n"
CHUNKED = EVENTS + b"transfer-encoding: chunked\r\n\r\n"
TINY = [event(str(number)) for number in range(10_000)]
Act = Callable[[socket.socket], None]


def writing(*parts: bytes, gap_s: float = 0.0) -> Act:
    def act(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
            time.sleep(gap_s)

    return act


def reset(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"content-length: 100\r\n\r\n")
    time.sleep(0.05)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def endless(start: bytes, piece: bytes, gap_s: float = 0.0) -> Act:
    def act(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(piece)
            time.sleep(gap_s)

    return act


ACTS: dict[str, Act] = {
    "good": writing(sized(answer_of())),
    "status-600": writing(sized(b"{}", b"HTTP/1.1 600 What\r\n")),
    "status-999": writing(sized(b"{}", b"HTTP/1.1 999 What\r\n")),
    "interim-flood": endless(b"", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 100),
    "endless-head": endless(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n" * 100),
    "endless-header": endless(b"HTTP/1.1 200 OK\r\nx: ", b"y" * 1000),
    "endless-trailer": endless(CHUNKED + b"0\r\n", b"x: y\r\n" * 100),
    "endless-body": endless(HEAD + b"\r\n", b" " * 100_000),
    "drip": endless(CHUNKED, b"%x\r\n%b\r\n" % (len(event("x")), event("x")), gap_s=0.05),
    "gzip": writing(sized(b"\x1f\x8b", HEAD + b"content-encoding: gzip\r\n")),
    "too-short": writing(sized(answer_of(), length=1000)),
    "too-long": writing(sized(answer_of() + b"HTTP/1.1 200 OK\r\n\r\n", length=len(answer_of()))),
    "reset": reset,
    "switched": writing(b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
    "glued": writing(CHUNKED + chunked(event("a"), event(usage=USAGE) + DONE)),
    "error-event": writing(CHUNKED + chunked(event("a"), b'data: {"error":{"message":"overloaded"}}\n\n')),
    "ten-thousand": writing(CHUNKED + chunked(*TINY, event(usage=USAGE), DONE)),
    "in-one-chunk": writing(CHUNKED + chunked(b"".join((*TINY, event(usage=USAGE), DONE)))),
    "split-character": writing(
        CHUNKED, *(chunked(bytes([byte]))[:-5] for byte in event("\u20ac\U0001f600") + DONE), b"0\r\n\r\n", gap_s=0.002
    ),
    "huge-usage": writing(sized(answer_of(usage={"prompt_tokens": 2**40, "completion_tokens": 2**40}))),
    "long-reason": writing(sized(answer_of(finish="secret" * 100_000))),
    "odd-status": writing(sized(b"", b"HTTP/1.1 204 No Content\r\n")),
}
FAILURES = (
    "status-600",
    "status-999",
    "interim-flood",
    "endless-head",
    "endless-header",
    "endless-body",
    "gzip",
    "too-short",
    "too-long",
    "reset",
    "switched",
)


class OddUpstream:
    """Acts as the model's name says, once the whole request is read or, for ``early``, before its body is."""

    def __init__(self) -> None:
        self.n_asked: Counter[str] = Counter()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "OddUpstream":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head, _, body = self._read(connection, b"", b"\r\n\r\n").partition(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            if length > 500_000:
                self.n_asked["early"] += 1
                connection.sendall(sized(b'{"error":{"message":"too much"}}', b"HTTP/1.1 413 Too Large\r\n"))
                time.sleep(0.2)
                return
            while len(body) < length:
                body += connection.recv(65536)
            name = json.loads(body)["model"]
            self.n_asked[name] += 1
            ACTS[name](connection)

    def _read(self, connection: socket.socket, got: bytes, until: bytes) -> bytes:
        while until not in got:
            got += connection.recv(65536) or until
        return got


@pytest.fixture(scope="module")
def upstream() -> Iterator[OddUpstream]:
    with OddUpstream() as odd:
        yield odd


@pytest.fixture(scope="module")
def service(upstream: OddUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("odd")
    models = [{"model": name} for name in ACTS]
    limits = {"call_timeout_s": 3.0, "max_response_bytes": 1_000_000}
    mock_config(folder, upstream.url, models, policy=POLICY, limits=limits)
    with running(folder) as started:
        yield started


def record_of(service: Service, answer: Answer) -> Any:
    path = f"/api/calls/{answer.headers['x-trimtab-call-id']}"
    wait_until(lambda: service.ask("GET", path, control=True).status == 200)
    return service.ask("GET", path, control=True).json()["call"]


@pytest.mark.parametrize("name", FAILURES)
def test_an_answer_that_cannot_be_read_is_the_providers_failure_and_is_asked_for_once(
    service: Service, upstream: OddUpstream, name: str
) -> None:
    answer = service.chat(f"mock:{name}")
    assert answer.status in (502, 504)
    assert answer.json()["error"]["type"] == "upstream_error"
    assert record_of(service, answer)["status"] == "error"
    assert upstream.n_asked[name] == 1


def test_a_stream_that_drips_for_ever_ends_with_the_calls_deadline_and_an_error_event(service: Service) -> None:
    started_s = time.monotonic()
    answer = service.chat("mock:drip", stream=True)
    assert time.monotonic() - started_s < 6
    assert b'"code":"upstream_timeout"' in answer.body.splitlines()[-2]
    record = record_of(service, answer)
    assert (record["status"], record["cost_source"]) == ("error", "estimated")


def test_a_usage_chunk_glued_to_the_end_is_counted_and_hidden(service: Service) -> None:
    answer = service.chat("mock:glued", stream=True)
    assert answer.body == event("a") + DONE
    assert record_of(service, answer)["usage"]["output_tokens"] == 5


def test_an_error_event_is_relayed_and_no_success(service: Service) -> None:
    answer = service.chat("mock:error-event", stream=True)
    assert b"overloaded" in answer.body
    assert record_of(service, answer)["error_code"] == "upstream_error_event"


@pytest.mark.parametrize("name", ["ten-thousand", "in-one-chunk"])
def test_ten_thousand_events_that_come_at_once_all_arrive(service: Service, name: str) -> None:
    answer = service.chat(f"mock:{name}", stream=True)
    assert answer.body == b"".join(TINY) + DONE
    assert record_of(service, answer)["usage"]["output_tokens"] == 5


def test_a_character_that_comes_byte_by_byte_arrives_whole(service: Service) -> None:
    answer = service.chat("mock:split-character", stream=True)
    assert "\u20ac\U0001f600" in answer.body.decode()
    assert record_of(service, answer)["status"] == "ok"


def test_an_upstream_that_answers_before_it_has_read_the_body_is_heard(service: Service) -> None:
    answer = service.chat("mock:good", text="x" * 4_000_000)
    assert answer.status == 413
    assert b"too much" in answer.body
    assert record_of(service, answer)["error_code"] == "upstream_status_413"
    assert service.chat("mock:good").status == 200


def test_promise_2_usage_beyond_all_reason_is_unknown_and_the_call_is_recorded(service: Service) -> None:
    answer = service.chat("mock:huge-usage")
    assert answer.status == 200
    record = record_of(service, answer)
    assert record["status"] == "ok"
    assert record["usage"].get("output_tokens") is None
    assert record["cost_source"] == "estimated"  # from the answer's text, never from the figure that cannot be


def test_promise_8_a_finish_reason_of_a_megabyte_is_not_kept(service: Service) -> None:
    answer = service.chat("mock:long-reason")
    assert answer.status == 200
    assert record_of(service, answer).get("finish_reason") is None


def test_an_answer_without_content_is_passed_on(service: Service) -> None:
    assert service.chat("mock:odd-status").status == 204
