"""Several worker processes, killed and reloaded under load: what the callers and the journal see of it."""

import http.client
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
from tests.support.mock_upstream import MockUpstream
from tests.support.service import Service, environment, mock_config, running, start, wait_until

POLICY = """
policy: {name}
organisation: {{sensitivity: public, store: metadata, mode: fixed, prefer: ["mock:{model}"]}}
"""


@pytest.fixture
def upstream() -> Iterator[MockUpstream]:
    with MockUpstream() as mock:
        mock.keeps_seen = False
        yield mock


class Traffic:
    """Threads that call as fast as they are answered, and keep what each call was told."""

    def __init__(self, service: Service, n_threads: int = 4) -> None:
        self._service = service
        self._is_over = threading.Event()
        self.answered: list[tuple[float, str, str]] = []
        """When, call id, model."""
        self.failed: list[str] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(n_threads)]

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

    def _run(self) -> None:
        while not self._is_over.is_set():
            try:
                answer = self._service.chat()
            except (OSError, http.client.HTTPException) as exc:
                self.failed.append(repr(exc))
                continue
            if answer.status != 200:
                self.failed.append(f"{answer.status} {answer.body[:200]!r}")
            else:
                headers = answer.headers
                self.answered.append((time.monotonic(), headers["x-trimtab-call-id"], headers["x-trimtab-model"]))


def recorded(folder: Path) -> set[str]:
    connection = sqlite3.connect(folder / "data/trimtab.db")
    try:
        return {row[0] for row in connection.execute("SELECT call_id FROM calls")}
    finally:
        connection.close()


def workers_of(service: Service) -> list[Any]:
    return list(psutil.Process(service.process.pid).children())


def test_a_changed_policy_is_in_force_on_every_worker_within_a_second_and_drops_no_call(
    upstream: MockUpstream, tmp_path: Path
) -> None:
    mock_config(
        tmp_path,
        upstream.url,
        [{"model": "one"}, {"model": "two"}],
        policy=POLICY.format(name="first", model="one"),
        workers=2,
    )
    with running(tmp_path) as service:
        wait_until(lambda: len(workers_of(service)) == 2)
        traffic = Traffic(service)
        with traffic.flowing():
            time.sleep(0.5)
            (tmp_path / "policy.yaml").write_text(POLICY.format(name="second", model="two"))
            changed_s = time.monotonic()
            time.sleep(2.0)
    assert traffic.failed == []
    old = [at_s - changed_s for at_s, _, model in traffic.answered if model == "mock:one" and at_s > changed_s]
    assert max(old, default=0.0) < 1.25  # a second, and a quarter for calls under way on a busy machine
    assert traffic.answered[-1][2] == "mock:two"


def test_promise_5_a_bad_policy_is_refused_with_its_line_while_the_old_one_serves(
    upstream: MockUpstream, tmp_path: Path
) -> None:
    mock_config(tmp_path, upstream.url, [{"model": "one"}], policy=POLICY.format(name="first", model="one"))
    with running(tmp_path) as service:
        (tmp_path / "policy.yaml").write_text("policy: second\norganisation: {sensitivity: publik}\n")
        wait_until(lambda: "policy.yaml:2" in service.log.read_text())
        assert "publik" in service.log.read_text()
        assert service.chat().status == 200
        assert service.ask("GET", "/api/policy", control=True).json()["name"] == "first"


@pytest.mark.slow
def test_promise_3_killed_workers_lose_no_call_older_than_a_flush_interval(
    upstream: MockUpstream, tmp_path: Path
) -> None:
    mock_config(
        tmp_path,
        upstream.url,
        [{"model": "one"}],
        policy=POLICY.format(name="first", model="one"),
        workers=2,
        journal={"flush_ms": 100},
    )
    with running(tmp_path) as service:
        wait_until(lambda: len(workers_of(service)) == 2)
        traffic = Traffic(service)
        killed_s = []
        with traffic.flowing():
            for _ in range(3):
                time.sleep(0.7)
                os.kill(workers_of(service)[0].pid, signal.SIGKILL)
                killed_s.append(time.monotonic())
            time.sleep(2.0)
        acknowledged = {
            call_id
            for at_s, call_id, _ in traffic.answered
            if not any(abs(at_s - kill_s) < 0.1 for kill_s in killed_s)  # read from the socket a little later
        }
        assert len(acknowledged) > 100
        # The spools of the dead are booked when the next worker starts; what was answered a flush before is there.
        wait_until(lambda: acknowledged <= recorded(tmp_path), timeout_s=20)
        shown = service.ask("GET", "/metrics").body.decode()
    assert "trimtab_calls_total" in shown
    # A connection to a killed process breaks; everything else is answered.
    assert len(traffic.failed) <= 4 * 3
    connection = sqlite3.connect(tmp_path / "data/trimtab.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    n_rows, cost = connection.execute("SELECT count(*), sum(cost_nano_usd) FROM calls").fetchone()
    assert connection.execute("SELECT sum(n_calls), sum(cost_nano_usd) FROM rollup_day").fetchone() == (n_rows, cost)
    connection.close()


def test_promise_3_a_killed_service_has_every_answered_call_after_the_next_start(
    upstream: MockUpstream, tmp_path: Path
) -> None:
    mock_config(tmp_path, upstream.url, [{"model": "one"}], policy=POLICY.format(name="first", model="one"))
    service = start(tmp_path)
    traffic = Traffic(service, n_threads=2)
    with traffic.flowing():
        time.sleep(1.0)
        service.kill()
        killed_s = time.monotonic()
        time.sleep(0.1)
    acknowledged = {call_id for at_s, call_id, _ in traffic.answered if at_s < killed_s - 0.2}
    assert len(acknowledged) > 20
    with running(tmp_path):
        wait_until(lambda: acknowledged <= recorded(tmp_path), timeout_s=20)


DYING = """
import os, sys
from pathlib import Path
from tests.support.store_rig import entry
from trimtab.store import Journal, open_database
folder = Path(sys.argv[1]) / "data"
journal = Journal(open_database(f"sqlite:///{folder / 'trimtab.db'}"), folder / "spool", worker="gone", flush_ms=60_000)
journal.record(entry(call_id="call_of_the_dead"))
os._exit(9)
"""


@pytest.mark.slow
def test_promise_3_what_a_killed_process_left_is_booked_by_one_that_lives(
    upstream: MockUpstream, tmp_path: Path
) -> None:
    mock_config(tmp_path, upstream.url, [{"model": "one"}], policy=POLICY.format(name="first", model="one"))
    with running(tmp_path) as service:
        assert service.chat().status == 200
        root = Path(__file__).resolve().parents[2]
        assert subprocess.run([sys.executable, "-c", DYING, str(tmp_path)], cwd=root, check=False).returncode == 9
        wait_until(lambda: "call_of_the_dead" in recorded(tmp_path), timeout_s=30)


def test_workers_end_with_the_process_that_started_them_even_while_they_start(tmp_path: Path) -> None:
    mock_config(tmp_path, "http://127.0.0.1:1", [{"model": "good"}], workers=2)
    command = [sys.executable, "-m", "trimtab", "serve", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().startswith("{")
        workers = psutil.Process(parent.pid).children()
        parent.kill()

    assert len(workers) == 2
    assert psutil.wait_procs(workers, timeout=20)[1] == []


def test_metrics_are_those_of_all_workers_whichever_is_asked(upstream: MockUpstream, tmp_path: Path) -> None:
    mock_config(tmp_path, upstream.url, [{"model": "one"}], policy=POLICY.format(name="first", model="one"), workers=2)
    with running(tmp_path) as service:
        for _ in range(40):
            assert service.chat().status == 200
        wait_until(lambda: _count_of(service) == 40.0)  # a worker counts what it served four times a second
        seen = {_count_of(service) for _ in range(10)}
    assert seen == {40.0}


def _count_of(service: Service) -> float:
    text = service.ask("GET", "/metrics").body.decode()
    return sum(float(value) for value in re.findall(r"^trimtab_calls_total\{.*\} (\S+)$", text, re.MULTILINE))


def test_a_stopping_service_finishes_the_streams_it_has(upstream: MockUpstream, tmp_path: Path) -> None:
    mock_config(
        tmp_path,
        upstream.url,
        [{"model": "slow/chunks-10/gap-0.2"}],
        policy=POLICY.format(name="first", model="slow/chunks-10/gap-0.2"),
    )
    with running(tmp_path) as service:
        lines: list[bytes] = []
        caller = threading.Thread(target=lambda: lines.extend(_stream(service)))
        caller.start()
        wait_until(lambda: bool(lines) or not caller.is_alive())
        assert service.stop() == 0
        caller.join(10)
    assert lines[-1] == b"data: [DONE]\n"


def _stream(service: Service) -> Iterator[bytes]:
    body: Any = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "x"}]}
    request = urllib.request.Request(f"{service.url}/v1/chat/completions", data=json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=30) as response:
        for line in response:
            if line.strip():
                yield line


@pytest.mark.skipif(sys.platform != "linux", reason="a running process's limits are changed by prlimit, Linux only")
def test_a_full_disk_degrades_and_neither_stops_calls_nor_loses_answered_ones(
    upstream: MockUpstream, tmp_path: Path
) -> None:
    mock_config(
        tmp_path,
        upstream.url,
        [{"model": "one"}],
        policy=POLICY.format(name="first", model="one"),
        journal={"flush_ms": 50},
    )
    with running(tmp_path, max_file_bytes=None):
        pass  # makes the tables while there is room
    size = (tmp_path / "data/trimtab.db").stat().st_size
    with running(tmp_path, max_file_bytes=size + 120_000) as service:
        call_ids: list[str] = []
        while "degraded" not in service.ask("GET", "/readyz").body.decode():
            call_ids.append(_answered(service))
            assert len(call_ids) < 5_000
        call_ids += [_answered(service) for _ in range(50)]
        service.make_room()
        wait_until(lambda: set(call_ids) <= recorded(tmp_path), timeout_s=30)
        wait_until(lambda: service.ask("GET", "/readyz").json() == {"status": "ready"})


def _answered(service: Service) -> str:
    answer = service.chat()
    assert answer.status == 200
    return answer.headers["x-trimtab-call-id"]
