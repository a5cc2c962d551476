"""Promises of the design against a running service: what stays inside, what is written down, and reloads under load."""

import json
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.mock_upstream import MockUpstream
from tests.support.service import Answer, Service, mock_config, running, wait_until

from trimtab.core import JournalEntry
from trimtab.store import CallFilter, CallReader, open_database

MODES = ("auto", "fixed", "capability", "eco", "regulated")
FAILING = ("a/status-500", "b/reset", "c/status-429", "d/cut-0", "e/drop", "f/status-401")
CANARY = "zanzibar-quokka-7141"
IDENTIFIERS = ("quokka@example.org", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "sk-proj-" + "q7" * 20)


@pytest.fixture
def upstream() -> Iterator[MockUpstream]:
    with MockUpstream() as mock:
        yield mock


@pytest.fixture
def outside() -> Iterator[MockUpstream]:
    with MockUpstream() as mock:
        yield mock


def two_sided(folder: Path, inside: MockUpstream, outside: MockUpstream) -> None:
    """Configure models inside that all fail, and one outside that is cheap, good and preferred."""
    policy = 'policy: sides\norganisation: {prefer: ["cloud:good"]}\n'
    mock_config(folder, inside.url, [{"model": model} for model in FAILING], policy=policy)
    config = yaml.safe_load((folder / "trimtab.yaml").read_text())
    cloud = {**config["providers"][0], "name": "cloud", "base_url": f"{outside.url}/v1"}
    model = {**config["models"][0], "provider": "cloud", "model": "good", "boundary": "outside", "is_approved": True}
    config["providers"].append(cloud)
    config["models"].append(model)
    (folder / "trimtab.yaml").write_text(yaml.safe_dump(config))


def test_promise_1_a_restricted_call_stays_inside_whatever_fails_there(
    upstream: MockUpstream, outside: MockUpstream, tmp_path: Path
) -> None:
    two_sided(tmp_path, upstream, outside)
    with running(tmp_path) as service:
        assert service.chat(headers={"x-trimtab-sensitivity": "public"}).status == 200
        assert len(outside.seen) == 1
        chance = random.Random(1)

        def ask(number: int) -> int:
            headers = {"x-trimtab-sensitivity": "restricted"} if number % 3 else {}
            if number % 2:
                headers["x-trimtab-mode"] = MODES[number % 5]
            if number % 7 == 0:
                headers["x-trimtab-sensitivity"] = "public"
            text = f"my key is {IDENTIFIERS[3]}" if number % 7 == 0 else "hello"
            model = chance.choice(["auto", "cloud:good", "workload/x", "mock:b/reset"])
            return service.chat(model, text, stream=bool(number % 4 == 0), headers=headers).status

        with ThreadPoolExecutor(8) as pool:
            statuses = set(pool.map(ask, range(300)))
    assert len(outside.seen) == 1
    assert 200 not in statuses
    assert len(upstream.seen) > 100


def canary_calls(service: Service) -> list[Answer]:
    """Say the canary in every place that a caller has for content, with every kind of ending."""
    odd: list[dict[str, Any]] = [
        {"text": CANARY},
        {"text": CANARY, "stream": True},
        {"text": CANARY, "model": "mock:a/status-500"},
        {"text": CANARY, "model": "mock:g/status-400"},
        {"text": CANARY, "model": "mock:cut/chunks-5/cut-2", "stream": True},
        {"text": CANARY, "model": "mock:e/garbage"},
        {"text": CANARY, "max_tokens": CANARY},
        {"text": CANARY, "n": -1},
        {"text": CANARY, "stream_options": CANARY, "stream": True},
        {"text": CANARY, "model": "workload/nobody"},
        {"text": CANARY, "tools": [{"type": "function", "function": {"name": CANARY}}]},
    ]
    answers = [service.chat(**fields) for fields in odd]
    messages = [{"role": "user", "content": CANARY}]
    answers.append(service.ask("POST", "/v1/messages", {"model": "auto", "max_tokens": 9, "messages": messages}))
    answers.append(service.ask("POST", "/v1/messages", {"model": "auto", "max_tokens": CANARY, "messages": messages}))
    answers.append(service.ask("POST", "/v1/embeddings", {"model": "auto", "input": CANARY}))
    answers.append(service.ask("POST", "/v1/chat/completions", f'{{"model": "auto", "messages": "{CANARY}'.encode()))
    answers.append(service.ask("POST", "/v1/chat/completions", f'{{"model": 7, "{CANARY}": "{CANARY}"}}'.encode()))
    answers.append(service.ask("POST", "/v1/feedback", {"call_id": "x", "score": CANARY, "comment": CANARY}))
    return answers


def entries_of(folder: Path) -> list[JournalEntry]:
    database = open_database(f"sqlite:///{folder / 'data/trimtab.db'}")
    try:
        return list(CallReader(database).stream(CallFilter(), bodies=True))
    finally:
        database.close()


@pytest.mark.parametrize("store", ["none", "metadata"])
def test_promise_8_a_prompt_is_nowhere_when_content_is_not_kept(
    upstream: MockUpstream, tmp_path: Path, store: str
) -> None:
    closed = "workloads: {nobody: {models: {deny: ['*']}}}"
    policy = f"policy: quiet\norganisation: {{sensitivity: public, store: {store}}}\n{closed}\n"
    names = ("good", "a/status-500", "g/status-400", "cut/chunks-5/cut-2", "e/garbage")
    mock_config(tmp_path, upstream.url, [{"model": name} for name in names], policy=policy, log_level="debug")
    with running(tmp_path) as service:
        answers = canary_calls(service)
        time.sleep(0.5)
        shown = [service.ask("GET", "/metrics").body]
        shown += [
            service.ask("GET", path, control=True).body for path in ("/api/calls", "/api/audit", "/api/workloads")
        ]
        shown += [answer.body for answer in answers] + [repr(answer.headers).encode() for answer in answers]
        while_running = [path.name for path in tmp_path.rglob("*") if path.is_file() and _holds(path)]
    assert {answer.status for answer in answers} >= {200, 400, 403, 502}
    assert [text for text in shown if CANARY.encode() in text] == []
    assert while_running == []
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and _holds(path)] == []
    entries = entries_of(tmp_path)
    assert (entries == []) == (store == "none")
    assert [e for e in entries if e.request_body is not None or e.response_body is not None] == []


def _holds(path: Path) -> bool:
    try:
        return CANARY.encode() in path.read_bytes()
    except FileNotFoundError:  # a segment that was booked meanwhile
        return False


def test_promise_8_identifiers_and_keys_are_masked_in_what_redacted_keeps(
    upstream: MockUpstream, tmp_path: Path
) -> None:
    policy = "policy: redacting\norganisation: {sensitivity: public, store: redacted}\n"
    mock_config(tmp_path, upstream.url, [{"model": "echo"}], policy=policy, log_level="debug")
    text = "Please write to " + " or ".join(IDENTIFIERS)
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in text)
    body = f'{{"model": "mock:echo", "messages": [{{"role": "user", "content": "{escaped}"}}]}}'.encode()
    with running(tmp_path) as service:
        assert service.chat("mock:echo", text).status == 200
        assert service.chat("mock:echo", text, stream=True).status == 200
        assert service.ask("POST", "/v1/chat/completions", body).status == 200
        wait_until(lambda: len(service.ask("GET", "/api/calls", control=True).json()) == 3)
    kept = [part for e in entries_of(tmp_path) for part in (e.request_body, e.response_body)]
    assert len(kept) == 6
    for part in kept:
        assert part is not None
        said = json.dumps(json.loads(part), ensure_ascii=False) if part.startswith(b"{") else part.decode()
        assert [identifier for identifier in IDENTIFIERS if identifier in said] == []
        assert "REDACTED" in said or "data:" in said


GOOD = """
policy: {name}
organisation: {{sensitivity: public, store: metadata, mode: fixed, prefer: ["mock:{model}"]}}
"""
LONG = "long/chunks-30/gap-0.05"


def ask_until(service: Service, is_over: threading.Event) -> list[int]:
    """Call as fast as calls are answered, over and over; return what the answers were."""
    statuses = []
    while not is_over.is_set():
        statuses.append(service.chat().status)
    return statuses


def test_a_storm_of_good_and_bad_policies_drops_no_call_and_the_last_good_one_is_in_force(
    upstream: MockUpstream, tmp_path: Path
) -> None:
    upstream.keeps_seen = False
    models = [{"model": "one"}, {"model": "two"}]
    mock_config(tmp_path, upstream.url, models, policy=GOOD.format(name="p0", model="one"), workers=2)
    is_over = threading.Event()
    with running(tmp_path) as service, ThreadPoolExecutor(3) as pool:
        callers = [pool.submit(ask_until, service, is_over) for _ in range(3)]
        for number in range(60):
            text = "policy: [" if number % 3 == 2 else GOOD.format(name=f"p{number}", model=("one", "two")[number % 2])
            if number % 2:
                (tmp_path / "policy.yaml").write_text(text)
            else:
                service.ask("POST", "/api/policy/apply", {"text": text}, control=True)
            if number % 10 == 9:
                service.ask("POST", "/api/policy/rollback", {}, control=True)
            time.sleep(0.05)
        (tmp_path / "policy.yaml").write_text(GOOD.format(name="last", model="two"))
        time.sleep(1.25)
        assert {service.chat().headers["x-trimtab-model"] for _ in range(20)} == {"mock:two"}
        is_over.set()
        statuses = [status for caller in callers for status in caller.result()]
        assert service.ask("GET", "/api/policy", control=True).json()["name"] == "last"
        assert service.ask("GET", "/api/audit/verify", control=True).json()["is_intact"]
    assert set(statuses) == {200}


def test_a_stream_outlives_the_policy_that_allowed_its_model(upstream: MockUpstream, tmp_path: Path) -> None:
    models = [{"model": LONG}, {"model": "two"}]
    mock_config(tmp_path, upstream.url, models, policy=GOOD.format(name="first", model=LONG))
    with running(tmp_path) as service, ThreadPoolExecutor(1) as pool:
        stream = pool.submit(service.chat, stream=True)
        upstream.wait_for(1)
        denied = f"policy: second\norganisation: {{sensitivity: public, models: {{deny: ['mock:{LONG}']}}}}\n"
        assert service.ask("POST", "/api/policy/apply", {"text": denied}, control=True).status == 200
        wait_until(lambda: service.chat().headers["x-trimtab-model"] == "mock:two", timeout_s=1.25)
        assert not stream.done()
        answer = stream.result()
    assert answer.headers["x-trimtab-model"] == f"mock:{LONG}"
    assert answer.body.endswith(b"data: [DONE]\n\n")
