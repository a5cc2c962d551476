"""Bad input and broken upstreams against a real process: what the caller is told, and what is written down."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.support.mock_upstream import MockUpstream
from tests.support.service import Answer, Service, mock_config, running, wait_until

CANARY = "sk-canary-0123456789abcdefghij"
POLICY = """
policy: faults
organisation: {sensitivity: public}
workloads:
  f500: {mode: fixed, prefer: ["mock:bad/status-500", "mock:good"]}
  f429: {mode: fixed, prefer: ["mock:busy/status-429", "mock:good"]}
  f401: {mode: fixed, prefer: ["mock:locked/status-401", "mock:good"]}
  freset: {mode: fixed, prefer: ["mock:gone/reset", "mock:good"]}
  fhang: {mode: fixed, prefer: ["mock:slow/hang", "mock:good"]}
  fgarbage: {mode: fixed, prefer: ["mock:odd/garbage", "mock:good"]}
  all-bad: {models: {allow: ["mock:bad/status-500", "mock:gone/reset"]}}
  nobody: {models: {deny: ["*"]}}
rules:
  - id: no-tools-here
    when: {workload: {eq: tools-denied}}
    then: {models: {deny: ["*"]}}
"""
DRIP = "drip/chunks-200/gap-0.05"
_QUOTED = f'{{"error":{{"message":"wrong key {CANARY}"}}}}'.encode()
QUOTING = (b"HTTP/1.1 400 Bad Request\r\ncontent-length: %d\r\n\r\n" % len(_QUOTED) + _QUOTED).hex()
MODELS = (
    "drip/chunks-200/gap-0.05",
    "good",
    "bad/status-500",
    "busy/status-429/retry_after-7",
    "busy/status-429",
    "locked/status-401",
    "refused/status-400",
    "gone/reset",
    "slow/hang",
    "odd/garbage",
    "odd/nonsense",
    "odd/redirect",
    "cut/chunks-5/cut-2",
    "large/huge-3000000",
)


@pytest.fixture(scope="module")
def service(upstream: MockUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("faults")
    mock_config(
        folder,
        upstream.url,
        [{"model": model} for model in (*MODELS, f"quoting/raw-{QUOTING}")],
        policy=POLICY,
        limits={"max_body_bytes": 1_000_000, "max_response_bytes": 1_000_000, "body_timeout_s": 1.5},
    )
    config = (folder / "trimtab.yaml").read_text()
    config = config.replace("kind: openai", "kind: openai\n  api_key_env: UP_SECRET\n  timeouts: {first_byte_s: 0.5}")
    # A breaker that never opens: each test meets its fault as if it were the first.
    config = config.replace(
        "max_retries: 0", "max_retries: 0\n  breaker: {consecutive_failures: 100000, min_calls: 100000}", 1
    ).replace("min_calls: 100000}", "min_calls: 100000}\n  cool_down: {default_s: 0, max_s: 0.001}", 1)
    (folder / "trimtab.yaml").write_text(config)
    with running(folder, env={"UP_SECRET": CANARY}) as started:
        yield started


def record_of(service: Service, answer: Answer) -> Any:
    call_id = answer.headers["x-trimtab-call-id"]
    wait_until(lambda: service.ask("GET", f"/api/calls/{call_id}", control=True).status == 200)
    return service.ask("GET", f"/api/calls/{call_id}", control=True).json()["call"]


def error_of(answer: Answer) -> Any:
    return answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not a JSON object"),
        (b"hello", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"{", "not a JSON object"),
        (b"\xff\xfe{}", "not a JSON object"),
        (b"{}", "`model` is missing"),
        (b'{"model": 5, "messages": []}', "`model` is a number"),
        (b'{"model": "auto"}', "`messages` is missing"),
        (b'{"model": "auto", "messages": "hi"}', "`messages` is not a list"),
        (b'{"model": "auto", "messages": []}', "`messages` is empty"),
        (b'{"model": "auto", "messages": [1]}', "messages[0]"),
        (b'{"model": "auto", "stream": "yes", "messages": [{"role": "user"}]}', "`stream`"),
        (b'{"model": "auto", "max_tokens": -1, "messages": [{"role": "user", "content": "x"}]}', "`max_tokens`"),
        (b'{"model": "auto", "n": 1e99, "messages": [{"role": "user", "content": "x"}]}', "`n`"),
        (b'{"model": "auto", "messages": [{"role": "user", "content": ' + b"[" * 200 + b"]" * 200 + b"}]}", "nested"),
    ],
)
def test_a_body_that_breaks_a_rule_is_a_400_that_names_it(service: Service, body: bytes, says: str) -> None:
    answer = service.ask("POST", "/v1/chat/completions", body)
    assert answer.status == 400
    assert error_of(answer)["type"] == "invalid_request_error"
    assert says in error_of(answer)["message"]


def test_the_same_mistake_has_anthropics_form_on_messages(service: Service) -> None:
    answer = service.ask("POST", "/v1/messages", b"{}")
    assert answer.status == 400
    assert answer.json()["type"] == "error"
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_an_unknown_model_is_a_404_with_a_close_name(service: Service) -> None:
    answer = service.chat("mock:goood")
    assert answer.status == 404
    assert error_of(answer)["code"] == "model_not_found"
    assert "mock:good" in error_of(answer)["message"]


def test_a_pool_that_policy_empties_is_a_403_that_names_the_rule(service: Service) -> None:
    answer = service.chat(headers={"x-trimtab-workload": "tools-denied"})
    assert answer.status == 403
    assert error_of(answer)["code"] == "policy_refused"
    assert "no-tools-here" in error_of(answer)["message"]
    record = record_of(service, answer)
    assert (record["status"], record["http_status"], record.get("model")) == ("refused", 403, None)


def test_attack_15_a_body_over_the_limit_is_refused_by_its_announced_size(service: Service) -> None:
    answer = _raw(service, b"content-length: 11000000\r\n", b'{"model": "auto"')
    assert answer.startswith(b"HTTP/1.1 413")


def test_attack_15_a_chunked_body_over_the_limit_is_refused_while_it_comes(service: Service) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    assert _raw(service, b"transfer-encoding: chunked\r\n", chunk * 20).startswith(b"HTTP/1.1 413")


def test_attack_15_a_compressed_body_is_not_unpacked(service: Service) -> None:
    answer = service.ask("POST", "/v1/chat/completions", b"\x1f\x8b" + b"0" * 100, {"content-encoding": "gzip"})
    assert answer.status == 400
    assert "Content-Encoding" in error_of(answer)["message"]


def test_attack_15_a_body_that_never_ends_is_given_up(service: Service) -> None:
    started_s = time.monotonic()
    assert _raw(service, b"content-length: 500\r\n", b'{"model":').startswith(b"HTTP/1.1 400")
    assert time.monotonic() - started_s < 5


def test_attack_15_a_million_messages_are_refused(service: Service) -> None:
    body = b'{"model":"auto","messages":[' + b",".join([b'{"role":"user"}'] * 60_000) + b"]}"
    answer = service.ask("POST", "/v1/chat/completions", body)
    assert answer.status == 400
    assert "messages" in error_of(answer)["message"]


@pytest.mark.parametrize("workload", ["f500", "f429", "f401", "freset", "fhang", "fgarbage"])
def test_a_failing_model_is_failed_over_and_both_tries_are_recorded(service: Service, workload: str) -> None:
    answer = service.chat(headers={"x-trimtab-workload": workload})
    assert answer.status == 200, answer.body
    assert answer.headers["x-trimtab-model"] == "mock:good"
    attempts = record_of(service, answer)["attempts"]
    assert [a["outcome"] == "ok" for a in attempts] == [False, True]


def test_when_every_permitted_model_fails_the_last_answer_or_error_comes_back(service: Service) -> None:
    answer = service.chat(headers={"x-trimtab-workload": "all-bad"})
    assert answer.status in (500, 502)
    record = record_of(service, answer)
    assert record["status"] == "error"
    assert {a["model"] for a in record["attempts"]} == {"mock:bad/status-500", "mock:gone/reset"}


def test_an_upstreams_400_is_the_callers_own_and_passes_back(service: Service) -> None:
    answer = service.chat("mock:refused/status-400")
    assert answer.status == 400
    assert record_of(service, answer)["error_code"] == "upstream_status_400"


def test_an_upstreams_429_keeps_its_retry_after(service: Service) -> None:
    answer = service.chat("mock:busy/status-429/retry_after-7")
    assert answer.status == 429
    assert answer.headers["retry-after"] == "7"


def test_attack_18_a_complaint_about_our_own_key_never_reaches_the_caller(service: Service) -> None:
    answer = service.chat("mock:locked/status-401")
    assert answer.status == 502
    assert CANARY.encode() not in answer.body
    assert b"trimtab check" in answer.body


def test_attack_18_a_key_quoted_in_an_error_is_masked(service: Service) -> None:
    answer = service.chat(f"mock:quoting/raw-{QUOTING}")
    assert answer.status == 400
    assert CANARY.encode() not in answer.body
    assert b"[REDACTED:api_key]" in answer.body


def test_an_upstream_that_hangs_is_a_504(service: Service) -> None:
    answer = service.chat("mock:slow/hang")
    assert answer.status == 504
    assert error_of(answer)["code"] == "upstream_timeout"


def test_an_upstream_that_speaks_no_http_is_a_502(service: Service) -> None:
    assert service.chat("mock:odd/garbage").status == 502


def test_attack_10_a_redirect_is_passed_back_and_not_followed(service: Service, upstream: MockUpstream) -> None:
    answer = _raw_chat(service, "mock:odd/redirect")
    assert answer.startswith((b"HTTP/1.1 302", b"HTTP/1.1 502"))
    assert b"location" not in answer.lower().split(b"\r\n\r\n")[0]
    assert all("169.254" not in seen.headers.get("host", "") for seen in upstream.seen)


def test_an_answer_that_is_not_json_is_relayed_and_unpriced(service: Service) -> None:
    answer = service.chat("mock:odd/nonsense")
    assert answer.status == 200
    record = record_of(service, answer)
    assert record.get("cost_nano_usd") is None
    assert record.get("cost_source", "unpriced") == "unpriced"


def test_an_answer_over_the_limit_is_a_502(service: Service) -> None:
    answer = service.chat("mock:large/huge-3000000")
    assert answer.status == 502
    assert "max_response_bytes" in error_of(answer)["message"]


def test_a_stream_that_is_cut_ends_with_an_error_event_and_is_recorded_as_one(service: Service) -> None:
    answer = service.chat("mock:cut/chunks-5/cut-2", stream=True)
    assert answer.status == 200
    events = [line for line in answer.body.decode().splitlines() if line.startswith("data: ")]
    assert "error" in json.loads(events[-1].removeprefix("data: "))
    record = record_of(service, answer)
    assert record["status"] == "error"
    assert record["cost_source"] == "estimated"
    assert record["cost_nano_usd"] > 0


def test_attack_16_a_client_that_leaves_stops_the_upstream_and_pays_for_what_was_made(
    service: Service, upstream: MockUpstream
) -> None:
    n_before = len(upstream.seen)
    request = {"model": f"mock:{DRIP}", "stream": True, "messages": [{"role": "user", "content": "x"}]}
    body = json.dumps(request).encode()
    with _connection(service) as connection:
        connection.sendall(_head(service, f"content-length: {len(body)}\r\n") + body)
        seen = upstream.wait_for(n_before + 1)
        head = connection.recv(4096).decode("latin-1")
    assert seen.client_left.wait(5)
    assert seen.n_chunks_sent < 200
    call_id = next(line.split(": ")[1] for line in head.splitlines() if line.startswith("x-trimtab-call-id"))
    record = record_of(service, Answer(200, {"x-trimtab-call-id": call_id}, b""))
    assert (record["status"], record["http_status"]) == ("cancelled", 499)
    assert record["cost_source"] == "estimated"
    assert record["cost_nano_usd"] > 0


def test_a_slow_client_head_is_cut_off(service: Service) -> None:
    with _connection(service) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n")
        connection.settimeout(20)
        started_s = time.monotonic()
        assert connection.recv(100) == b""
        assert 5 < time.monotonic() - started_s < 15


def test_attack_8_no_route_takes_code_or_templates(service: Service) -> None:
    for path in ("/v1/scorers", "/api/scorers", "/api/test", "/api/preview", "/api/guardrails"):
        for control in (False, True):
            answer = service.ask("POST", path, {"code": "1/0"}, control=control)
            assert answer.status in (401, 404, 405)


def test_attack_9_a_callers_base_url_is_ignored(service: Service, upstream: MockUpstream) -> None:
    n_before = len(upstream.seen)
    headers = {"x-base-url": "http://127.0.0.1:1/", "x-provider-base-url": "http://127.0.0.1:1/"}
    answer = service.chat("mock:good", base_url="http://127.0.0.1:1/", headers=headers)
    assert answer.status == 200
    assert len(upstream.seen) == n_before + 1


def test_attack_18_the_providers_key_is_in_no_log_metric_record_or_file(service: Service) -> None:
    service.chat("mock:locked/status-401")
    service.chat("mock:bad/status-500")
    wait_until(lambda: service.ask("GET", "/api/calls", control=True).json())
    assert CANARY.encode() not in service.ask("GET", "/metrics").body
    assert CANARY.encode() not in service.ask("GET", "/api/calls", control=True).body
    written = [path for path in service.folder.rglob("*") if path.is_file()]
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []


def _head(service: Service, extra: str = "") -> bytes:
    host = urlsplit(service.url).netloc
    return f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{extra}\r\n".encode()


@contextlib.contextmanager
def _connection(service: Service) -> Iterator[socket.socket]:
    parts = urlsplit(service.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as connection:
        yield connection


def _raw(service: Service, headers: bytes, body: bytes) -> bytes:
    """Send a head and some of a body, and return the first bytes of the answer."""
    with _connection(service) as connection:
        connection.sendall(_head(service, headers.decode()))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(body)
        return connection.recv(65536)


def _raw_chat(service: Service, model: str) -> bytes:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "x"}]}).encode()
    return _raw(service, f"content-length: {len(body)}\r\n".encode(), body)
