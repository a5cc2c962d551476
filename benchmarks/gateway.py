"""The gateway against floors and peers: processor time a call, added latency, memory, time to ready.

One run measures everything against the same upstream; see docs/explanation/performance.md for the method.
"""

import argparse
import json
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks import report
from benchmarks.load import Order, Outcome
from benchmarks.processes import cores, cpu_s, rss_mb, running, wait_until
from benchmarks.systems import MODEL, Running, System, features, floors, peers, trimtab

CHUNKS = 50
GAP_US = 2_000
"""Between two chunks of a stream under load: 16 connections give 8,000 chunks a second, which leaves all room."""
PACED_GAP_US = 10_000
"""Between two chunks where it is checked that they come one by one."""
RATE_PER_S = 100.0
PADDING = "Measure twice, cut once. " * 35
"""Brings the request to about one kilobyte."""


@dataclass(frozen=True)
class Measured:
    """One line of the table. ``None`` was not measured."""

    name: str
    kind: str
    problem: str = ""
    """Why there is no measurement, or which promise was broken."""
    is_absent: bool = False
    cpu_s_per_1000_calls: float | None = None
    cpu_s_per_1000_streams: float | None = None
    added_p50_ms: float | None = None
    added_p99_ms: float | None = None
    idle_rss_mb: float | None = None
    ready_s: float | None = None

    @property
    def cpu_us_per_chunk(self) -> float | None:
        """What one relayed chunk costs: the difference to a call without a stream, by chunk."""
        if self.cpu_s_per_1000_calls is None or self.cpu_s_per_1000_streams is None:
            return None
        return (self.cpu_s_per_1000_streams - self.cpu_s_per_1000_calls) / CHUNKS * 1000


@dataclass(frozen=True)
class Plan:
    """How much to measure."""

    rounds: int
    n_calls: int
    n_streams: int
    latency_s: float


class Bench:
    """One upstream and everything that is measured against it."""

    def __init__(self, plan: Plan, upstream_port: int) -> None:
        self._plan = plan
        self._upstream_port = upstream_port
        self._own_cores, self._other_cores = cores()

    def measure(self, system: System) -> Measured:
        """Start the system and measure it; what goes wrong with a peer is a line of the table and no crash."""
        nothing = Measured(system.name, system.kind)
        if not system.is_installed:
            return replace(nothing, is_absent=True, problem=f"`{system.needs}` is not installed")
        with tempfile.TemporaryDirectory(prefix="trimtab-bench-") as name:
            folder, port = Path(name), free_port()
            try:
                how = system.prepare(folder, port, self._upstream_port)
                started_s = time.monotonic()
                with running(
                    how.command, on_cores=self._own_cores, folder=folder, environment=how.environment
                ) as process:
                    wait_until(lambda: self._answers(how, port), process, folder)
                    ready_s = time.monotonic() - started_s
                    return self._all_of(replace(nothing, ready_s=ready_s), how, port, process.pid)
            except (RuntimeError, BrokenPromise) as exc:
                return replace(nothing, problem=str(exc))

    def _all_of(self, so_far: Measured, how: Running, port: int, pid: int) -> Measured:
        time.sleep(1.0)
        idle_rss_mb = rss_mb(pid)
        plan, stream = self._plan, prompt(how.model, gap_us=GAP_US)
        self._check_pace(how, port)
        calls_s = self._cpu(how, port, pid, prompt(how.model), plan.n_calls)
        streams_s = self._cpu(how, port, pid, stream, plan.n_streams)
        direct, through = self._latency(Running([]), self._upstream_port), self._latency(how, port)
        return replace(
            so_far,
            idle_rss_mb=idle_rss_mb,
            cpu_s_per_1000_calls=calls_s,
            cpu_s_per_1000_streams=streams_s,
            added_p50_ms=through.latency_p50_ms - direct.latency_p50_ms,
            added_p99_ms=through.latency_p99_ms - direct.latency_p99_ms,
        )

    def _cpu(self, how: Running, port: int, pid: int, body: str, n_calls: int) -> float:
        """Return processor seconds per 1,000 calls, after a tenth as many calls that do not count."""
        self._send(how, port, body, max(n_calls // 10, 32))
        before_s = cpu_s(pid)
        outcome = self._send(how, port, body, n_calls)
        # A batch of records may be on its way to the disk: it belongs to these calls.
        time.sleep(0.5)
        return (cpu_s(pid) - before_s) / outcome.n_calls * 1000

    def _latency(self, how: Running, port: int) -> Outcome:
        return self._send(how, port, prompt(how.model), int(RATE_PER_S * self._plan.latency_s), rate_per_s=RATE_PER_S)

    def _check_pace(self, how: Running, port: int) -> None:
        """Fail when a stream's chunks do not come one by one, soon after they were sent."""
        body = prompt(how.model, gap_us=PACED_GAP_US)
        seen = self._send(how, port, body, 8, n_connections=4)
        if seen.n_chunks != 8 * CHUNKS:
            raise BrokenPromise(f"{seen.n_chunks} of {8 * CHUNKS} chunks arrived")
        if seen.lateness_p50_ms > PACED_GAP_US / 2000 or seen.n_arrivals < 0.9 * seen.n_chunks:
            raise BrokenPromise(
                f"chunks are held back: {seen.lateness_p50_ms:.1f} ms late (median), "
                f"{seen.n_chunks} of them in {seen.n_arrivals} arrivals"
            )

    def _send(
        self, how: Running, port: int, body: str, n_calls: int, *, rate_per_s: float = 0.0, n_connections: int = 16
    ) -> Outcome:
        outcome = send(
            Order(port, n_calls, headers=how.headers, body=body, rate_per_s=rate_per_s, n_connections=n_connections),
            self._other_cores,
        )
        if outcome.n_errors:
            raise BrokenPromise(f"{outcome.n_errors} of {n_calls} calls failed: {outcome.first_error}")
        return outcome

    def _answers(self, how: Running, port: int) -> bool:
        """Say whether one call succeeds. A single small process would cost more than the wait, so it is done here."""
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                body = prompt(how.model).encode()
                headers = "".join(f"{name}: {value}\r\n" for name, value in how.headers.items())
                connection.sendall(
                    f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n"
                    f"content-type: application/json\r\ncontent-length: {len(body)}\r\n{headers}\r\n".encode()
                    + body
                )
                return connection.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False


class BrokenPromise(Exception):
    """A system answered with errors, lost chunks or held them back."""


def send(order: Order, on_cores: set[int]) -> Outcome:
    """Run the load generator in a process of its own and return what it saw."""
    core_list = ",".join(map(str, sorted(on_cores)))
    command = ["taskset", "-c", core_list, sys.executable, "-m", "benchmarks.load"]
    done = subprocess.run(command, input=json.dumps(asdict(order)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the load generator failed: {done.stderr[-2000:]}")
    return Outcome(**json.loads(done.stdout))


def prompt(model: str, *, gap_us: int | None = None) -> str:
    """Return a request body of about a kilobyte; with a gap it asks for a stream."""
    content = f"chunks={CHUNKS} gap_us={gap_us or 0} {PADDING}"
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": content}]}
    return json.dumps(body if gap_us is None else {**body, "stream": True})


def free_port() -> int:
    """Return a port nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def upstream() -> Iterator[int]:
    """Run the mock provider on the other cores; yield its port."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.mock_upstream", str(port)]
    with tempfile.TemporaryDirectory(prefix="trimtab-bench-") as name:
        (Path(name) / "benchmarks").symlink_to(Path(__file__).parent)
        with running(command, on_cores=cores()[1], folder=Path(name)) as process:

            def is_open() -> bool:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                except OSError:
                    return False
                return True

            wait_until(is_open, process, Path(name))
            yield port


def median_of(rounds: list[Measured]) -> Measured:
    """Return the median of each figure; one broken round breaks the line."""
    for each in rounds:
        if each.problem:
            return each
    figures: dict[str, float] = {}
    for name in (
        "cpu_s_per_1000_calls",
        "cpu_s_per_1000_streams",
        "added_p50_ms",
        "added_p99_ms",
        "idle_rss_mb",
        "ready_s",
    ):
        values = [value for each in rounds if (value := getattr(each, name)) is not None]
        figures[name] = statistics.median(values)
    return replace(rounds[0], **figures)  # type: ignore[arg-type]  # only fields that hold figures


def main(arguments: list[str]) -> int:
    """Measure, print the table, and fail when one of ours broke a promise."""
    options = _parser().parse_args(arguments)
    plan = Plan(1, 3_000, 200, 2.0) if options.quick else Plan(options.rounds, 10_000, 1_000, 10.0)
    systems = [*floors(), trimtab(), *([] if options.no_features else features()), *peers()]
    chosen = [system for system in systems if options.only is None or options.only in system.name]
    found: dict[str, list[Measured]] = {system.name: [] for system in chosen}
    with upstream() as port:
        bench = Bench(plan, port)
        for number in range(plan.rounds):
            for system in chosen:
                print(f"round {number + 1} of {plan.rounds}: {system.name}", file=sys.stderr)
                found[system.name].append(bench.measure(system))
    results = [median_of(rounds) for rounds in found.values()]
    about = {"python": platform.python_version(), "machine": _processor(), "model": MODEL, **asdict(plan)}
    print(report.table(results))
    if options.json is not None:
        report.write_json(options.json, about, results)
    return 1 if any(each.problem and each.kind != "peer" for each in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks gateway", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="each system is measured so often; the median counts")
    parser.add_argument("--quick", action="store_true", help="one small round, to see that it works; not for figures")
    parser.add_argument("--only", metavar="TEXT", help="systems with this in their name")
    parser.add_argument("--no-features", action="store_true", help="leave out what each feature costs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here as well")
    return parser


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
