"""Processes under measurement: started on one core, their tree's processor time and memory read from /proc."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def cores() -> tuple[set[int], set[int]]:
    """Return the core of the system under test and those of everything else; the same one where there is only one."""
    every = sorted(os.sched_getaffinity(0))
    return {every[0]}, set(every[1:]) or {every[0]}


@contextlib.contextmanager
def running(
    command: Sequence[str], *, on_cores: set[int], folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process group pinned to cores, its output in ``folder``/output.log, and end all of it afterwards."""
    with (folder / "output.log").open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, on_cores),
        )
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)


def wait_until(
    holds: Callable[[], bool], process: subprocess.Popen[bytes], folder: Path, timeout_s: float = 90.0
) -> float:
    """Wait and return the seconds it took.

    Raises:
        RuntimeError: the process ended or the time is up, with the end of its output.
    """
    started_s = time.monotonic()
    while not holds():
        if process.poll() is not None or time.monotonic() - started_s > timeout_s:
            raise RuntimeError(f"{process.args!r} is not ready:\n{(folder / 'output.log').read_text()[-2000:]}")
        time.sleep(0.005)
    return time.monotonic() - started_s


def cpu_s(root: int) -> float:
    """Return user and system seconds of a process and everything below it, ended children included."""
    return sum(sum(_stat(pid)[11:15]) for pid in _tree(root)) / _TICKS_PER_S


def rss_mb(root: int) -> float:
    """Return the resident megabytes (10^6 bytes) of a process and everything below it; shared pages count in each."""
    return sum(sum(_stat(pid)[21:22]) for pid in _tree(root)) * _PAGE_BYTES / 1e6


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))):
            children.setdefault(stat[1], []).append(int(entry.name))
    found, left = [], [root]
    while left:
        pid = left.pop()
        if _stat(pid):
            found.append(pid)
        left += children.get(pid, [])
    return found


def _stat(pid: int) -> list[int]:
    """Return the numbers of /proc/PID/stat from its third field on (proc(5)), the state letter as 0; empty if gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [0, *map(int, text.rpartition(")")[2].split()[1:])]
