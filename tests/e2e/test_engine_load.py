"""Two hundred callers on one engine: nothing lost or mixed up, memory bounded, turns fair, deadlines kept."""

import http.client
import json
import statistics
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
from tests.support.service import Service, running, wait_until, write_config

from trimtab.lab import pool_models
from trimtab.lab.office import OfficeCase, office_cases

pytest.importorskip("xllamacpp", reason="llama.cpp is the extra `serving`")

N_CALLERS = 200
DURATION_S = 60.0
PRICE = {"input_usd_per_mtok": "1", "output_usd_per_mtok": "2", "source": "test"}
POLICY = "policy: load\norganisation: {sensitivity: public, store: metadata}\n"


def configure(folder: Path, *, slots: int, **settings: Any) -> None:
    small, _ = pool_models()
    write_config(
        folder,
        providers=[],
        engines=[{"name": "local", "kind": "llama_cpp", "path": str(small.path), "slots": slots, "threads": 1}],
        models=[{"provider": "local", "model": "office-small", "boundary": "inside", "price": PRICE}],
        policy=POLICY,
        **settings,
    )


def engine_process(service: Service) -> Any:
    children = psutil.Process(service.process.pid).children(recursive=True)
    return next(child for child in children if "llama_cpp_host" in " ".join(child.cmdline()))


def until_ready(service: Service) -> None:
    wait_until(lambda: service.chat(max_tokens=1).status == 200, timeout_s=30)


class Caller(threading.Thread):
    """Asks one question after the other on a connection of its own."""

    def __init__(self, service: Service, cases: list[OfficeCase], first: int, until_s: float) -> None:
        super().__init__(daemon=True)
        parts = urlsplit(service.url)
        self._address = (parts.hostname or "", parts.port or 0)
        self._cases, self._first, self._until_s = cases, first, until_s
        self.answers: list[tuple[OfficeCase, str]] = []
        self.failures: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=120)
        try:
            number = self._first
            while time.monotonic() < self._until_s:
                case = self._cases[number % len(self._cases)]
                self._ask(connection, case)
                number += 7
        finally:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection, case: OfficeCase) -> None:
        body = {"model": "auto", "temperature": 0, "messages": [{"role": "user", "content": case.prompt}]}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse()
        raw = answer.read()
        if answer.status == 200:
            self.answers.append((case, json.loads(raw)["choices"][0]["message"]["content"].strip()))
        else:
            self.failures.append(f"{answer.status} {raw[:200]!r}")


def distinct_cases() -> list[OfficeCase]:
    """Questions whose answers all differ, so that an answer that went to the wrong caller is seen."""
    found: dict[str, OfficeCase] = {}
    for case in office_cases("test", 3000, seed=11, strata=("routine",)):
        if len(case.expected) > 12:
            found.setdefault(case.expected, case)
    cases = list(found.values())
    assert len(cases) > N_CALLERS
    return cases


@pytest.mark.slow
def test_two_hundred_callers_lose_nothing_and_each_gets_its_own_answer_in_turn(tmp_path: Path) -> None:
    configure(tmp_path, slots=8)
    cases = distinct_cases()
    with running(tmp_path) as service:
        until_ready(service)
        host = engine_process(service)
        callers = [Caller(service, cases, 13 * n, time.monotonic() + DURATION_S) for n in range(N_CALLERS)]
        for caller in callers:
            caller.start()
        time.sleep(DURATION_S / 4)
        early_bytes = host.memory_info().rss
        for caller in callers:
            caller.join(DURATION_S * 2)
        late_bytes = host.memory_info().rss
        wait_until(lambda: json.loads(service.cli("calls", "list", "--json", "-n", "1").stdout) != [])
        status = service.ask("GET", "/readyz").status
    assert [failure for caller in callers for failure in caller.failures] == []
    answers = [pair for caller in callers for pair in caller.answers]
    owner = {case.expected: case.case_id for case in cases}
    mixed = [(case.case_id, said) for case, said in answers if owner.get(said, case.case_id) != case.case_id]
    assert mixed == []
    right = sum(said == case.expected for case, said in answers)
    assert right > 0.85 * len(answers)
    turns = sorted(len(caller.answers) for caller in callers)
    assert turns[0] >= statistics.median(turns) / 2 - 1, Counter(turns)
    assert late_bytes < 1.3 * early_bytes + 32 * 1024 * 1024
    assert status == 200


def test_calls_that_wait_too_long_end_at_their_deadline_and_free_their_places(tmp_path: Path) -> None:
    configure(tmp_path, slots=1, limits={"call_timeout_s": 0.5, "max_attempts": 1})
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(service.chat(max_tokens=500, ignore_eos=True).status)

    with running(tmp_path) as service:
        until_ready(service)
        started_s = time.monotonic()
        # Each writes 450 tokens, one after the other: were they inside the engine, it would be busy for half a minute.
        callers = [threading.Thread(target=ask) for _ in range(160)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(30)
        took_s = time.monotonic() - started_s
        wait_until(lambda: service.chat(max_tokens=1).status == 200, timeout_s=16)
    assert len(statuses) == 160
    assert set(statuses) <= {200, 503, 504}  # 503 never got a place, 504 had one
    assert statuses.count(503) > 20
    assert took_s < 10
