"""Attack 16 against a real service of three workers: bursts, clients that leave, killed workers, on both databases."""

import http.client
import json
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
from sqlalchemy import func, select
from tests.support.mock_upstream import MockUpstream
from tests.support.service import Service, mock_config, running, wait_until

from trimtab.store import open_database
from trimtab.store.tables import calls, spend_day

CAP_USD = "0.004"
CAP_NANO = 4_000_000
QUICK, SLOW = "quick/chunks-50", "slow/chunks-50/gap-0.01"
COST_NANO = 12 * 1_000 + 50 * 2_000
"""Of one call: 12 tokens at $1 and 50 at $2 a million."""
N_CALLERS = 12
POLICY = "policy: capped\norganisation: {sensitivity: public, store: metadata, mode: fixed}\n"


@pytest.fixture
def upstream() -> Iterator[MockUpstream]:
    with MockUpstream() as mock:
        mock.keeps_seen = False
        yield mock


class Burst:
    """Callers that ask as fast as they are answered, whole or as streams of which half are left early."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._is_over = threading.Event()
        self.n_refused = 0
        self._threads = [threading.Thread(target=self._run, args=(seed,)) for seed in range(N_CALLERS)]

    @contextmanager
    def flowing(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            for thread in self._threads:
                thread.join()

    def _run(self, seed: int) -> None:
        chance = random.Random(seed)
        while not self._is_over.is_set():
            with suppress(OSError, http.client.HTTPException):
                if chance.random() < 0.3:
                    self._leave_early()
                elif self._service.chat(f"mock:{QUICK}", max_tokens=50).status == 402:
                    self.n_refused += 1

    def _leave_early(self) -> None:
        fields: dict[str, Any] = {"model": f"mock:{SLOW}", "stream": True, "max_tokens": 50}
        body = json.dumps({**fields, "messages": [{"role": "user", "content": "x"}]}).encode()
        parts = urlsplit(self._service.url)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self._service.secret}\r\n"
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5) as connection:
            connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            connection.recv(65536)


def ledger_of(url: str) -> tuple[int, int]:
    """Return what the key's counter says and what its calls add up to, nano-dollars."""
    database = open_database(url)
    try:
        with database.reading() as connection:
            counted = select(func.coalesce(func.sum(spend_day.c.nano_usd), 0)).where(spend_day.c.scope.like("key:%"))
            summed = select(func.coalesce(func.sum(calls.c.cost_nano_usd), 0)).where(calls.c.key_id.is_not(None))
            return int(connection.execute(counted).scalar_one()), int(connection.execute(summed).scalar_one())
    finally:
        database.close()


@pytest.mark.slow
def test_attack_16_promise_4_three_workers_two_killed_never_pass_a_keys_cap_and_the_counter_is_the_ledger(
    upstream: MockUpstream, tmp_path: Path, database_url: str
) -> None:
    models = [{"model": QUICK}, {"model": SLOW}]
    mock_config(
        tmp_path,
        upstream.url,
        models,
        policy=POLICY,
        auth="keys",
        workers=3,
        database=database_url,
        journal={"flush_ms": 50},
    )
    with running(tmp_path, key_options=["--usd-per-day", CAP_USD]) as service:
        wait_until(lambda: len(psutil.Process(service.process.pid).children()) == 3)
        burst = Burst(service)
        with burst.flowing():
            for _ in range(2):
                time.sleep(0.3)
                os.kill(psutil.Process(service.process.pid).children()[0].pid, signal.SIGKILL)
            wait_until(lambda: burst.n_refused > 50, timeout_s=60)
            time.sleep(2.0)
        time.sleep(1.0)
        assert service.stop() == 0
    counted, summed = ledger_of(database_url)
    assert counted == summed
    assert summed <= CAP_NANO + N_CALLERS * COST_NANO
    assert summed > CAP_NANO / 2


def test_attack_16_a_keys_rate_limit_holds_over_all_workers_together(upstream: MockUpstream, tmp_path: Path) -> None:
    mock_config(tmp_path, upstream.url, [{"model": QUICK}], policy=POLICY, auth="keys", workers=3)
    with running(tmp_path, key_options=["--calls-per-minute", "30"]) as service:
        wait_until(lambda: len(psutil.Process(service.process.pid).children()) == 3)
        started_s = time.monotonic()
        answers = [service.chat(f"mock:{QUICK}") for _ in range(90)]
        lasted_s = time.monotonic() - started_s
    served = [answer for answer in answers if answer.status == 200]
    assert {answer.status for answer in answers} == {200, 429}
    assert 10 <= len(served) <= 30 + lasted_s / 2 + 1
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status == 429)
