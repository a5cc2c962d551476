"""Running a stranger's code in a process of its own, and believing only what that process signed."""

import hashlib
import hmac
import os
import secrets
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from trimtab.evaluation.sandbox.limits import Limits

_HERE = Path(__file__).parent
_LOOK_S = 0.05
_REPORT_BYTES = 64 * 1024


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a program and its checks."""

    n_passed: int
    n_checks: int
    """At least 1."""
    why: str | None = None
    """The first thing that went wrong."""
    walls: tuple[str, ...] = ()
    """What stood around the program, such as ``files by Landlock``."""


def check_code(code: str, tests: str, limits: Limits) -> Report:
    """Run code and then tests of it, behind every wall that this system has to offer.

    Blocks until both have ended or were ended. What the code prints goes nowhere. Its process is killed with all that
    it started, and its folder is removed.

    Args:
        code: Python, as an answer gives it.
        tests: Python: plain assertions, functions named ``test...``, or cases of unittest. They see the code's names.
        limits: What both together may use.

    Raises:
        OSError: no process or folder could be made.
    """
    nonce = secrets.token_bytes(32)
    reading, writing = os.pipe()
    with _folder() as folder, open(reading, "rb", buffering=0) as report:
        order = {
            "program": str(_HERE / "checking.py"),
            "folder": str(folder),
            "limits": limits,
            "report_fd": writing,
            "nonce": nonce.hex(),
            "code": code,
            "tests": tests,
        }
        try:
            process = _started(msgspec.json.encode(order), folder, writing)
        finally:
            os.close(writing)
        try:
            said, ended_by = _heard(report.fileno(), process.pid, folder, limits)
        finally:
            _end(process)
    return _report(said, nonce, ended_by, process.returncode)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="trimtab-sandbox-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _started(order: bytes, folder: Path, writing: int) -> subprocess.Popen[bytes]:
    """Start the jail in a session of its own, with an empty environment and no file but the report's."""
    with tempfile.TemporaryFile() as stdin:
        stdin.write(order)
        stdin.seek(0)
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-X", "utf8", str(_HERE / "jail.py")],
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={},
            pass_fds=(writing,),
            start_new_session=True,
        )


def _heard(report: int, pid: int, folder: Path, limits: Limits) -> tuple[bytes, str | None]:
    """Read the report until the program ends or passes a limit; return it, and which limit that was."""
    ends_at = time.monotonic() + limits.wall_s
    said = b""
    while True:
        if time.monotonic() > ends_at:
            return said, f"took longer than {limits.wall_s:g} s"
        if select.select([report], [], [], _LOOK_S)[0]:
            part = os.read(report, _REPORT_BYTES)
            said += part
            if not part:
                return said, None
        if len(said) > _REPORT_BYTES:
            return b"", "wrote into the report"
        if not _fits(pid, folder, limits):
            return said, f"filled more than {limits.file_mb} MB or {limits.n_files} files"


def _fits(pid: int, folder: Path, limits: Limits) -> bool:
    n_files, n_bytes = 0, 0
    for status in (*_files_in(folder), *_removed_files_of(pid)):
        n_files, n_bytes = n_files + 1, n_bytes + status.st_size
        if n_files > limits.n_files or n_bytes > limits.file_mb << 20:
            return False
    return True


def _files_in(folder: Path) -> Iterator[os.stat_result]:
    waiting = [str(folder)]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                with suppress(OSError):  # gone in the meantime
                    yield entry.stat(follow_symlinks=False)


def _removed_files_of(pid: int) -> Iterator[os.stat_result]:
    """Yield what is open and has no name any more, which still takes its place on the disk; Linux only."""
    with suppress(OSError), os.scandir(f"/proc/{pid}/fd") as entries:
        for entry in entries:
            with suppress(OSError):
                status = entry.stat()
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                    yield status


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the program with its process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _report(said: bytes, nonce: bytes, ended_by: str | None, status: int) -> Report:
    """Return the signed report. Without one the program did not come to its end, whatever else it wrote."""
    first, *rest = said.splitlines() or [b""]
    walls = tuple(filter(None, first.decode("utf-8", "replace").split("; ")))
    for line in rest:
        signature, _, report = line.partition(b" ")
        expected = hashlib.blake2b(report, key=nonce, digest_size=32).hexdigest().encode()
        if hmac.compare_digest(expected, signature):
            n_passed, n_checks, why = report.decode("utf-8", "replace").split(" ", 2)
            return Report(n_passed=int(n_passed), n_checks=int(n_checks), why=why or None, walls=walls)
    why = ended_by or (f"ended by signal {-status}" if status < 0 else "ended before its tests did")
    return Report(n_passed=0, n_checks=1, why=why, walls=walls)
