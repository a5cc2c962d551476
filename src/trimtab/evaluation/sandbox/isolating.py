"""Running a stranger's code in a process of its own, and believing only what that process signed."""

import hashlib
import hmac
import os
import secrets
import select
import shutil
import signal
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


class _Line(msgspec.Struct):
    walls: tuple[str, ...] = ()
    report: str = ""
    signature: str = ""


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
            said, ended_by = _heard(report.fileno(), folder, limits)
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


def _heard(report: int, folder: Path, limits: Limits) -> tuple[bytes, str | None]:
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
        if not _fits(folder, limits):
            return said, f"filled more than {limits.file_mb} MB or {limits.n_files} files"


def _fits(folder: Path, limits: Limits) -> bool:
    n_files, n_bytes, waiting = 0, 0, [str(folder)]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                n_files += 1
                with suppress(OSError):  # gone in the meantime
                    n_bytes += entry.stat(follow_symlinks=False).st_size
                if n_files > limits.n_files or n_bytes > limits.file_mb << 20:
                    return False
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the program with its process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _report(said: bytes, nonce: bytes, ended_by: str | None, status: int) -> Report:
    """Return the signed report. Without one the program did not come to its end, whatever else it wrote."""
    lines = [line for text in said.splitlines() if (line := _line(text)) is not None]
    walls = lines[0].walls if lines else ()
    signed = next((line for line in lines if _is_signed(line, nonce)), None)
    if signed is None:
        why = ended_by or ("ended by signal " + str(-status) if status < 0 else "ended before its tests did")
        return Report(n_passed=0, n_checks=1, why=why, walls=walls)
    found = msgspec.json.decode(signed.report.encode(), type=Report)
    return msgspec.structs.replace(found, walls=walls)


def _line(text: bytes) -> _Line | None:
    try:
        return msgspec.json.decode(text, type=_Line)
    except msgspec.DecodeError:
        return None


def _is_signed(line: _Line, nonce: bytes) -> bool:
    expected = hashlib.blake2b(line.report.encode(), key=nonce, digest_size=32).hexdigest()
    return hmac.compare_digest(expected.encode(), line.signature.encode())
