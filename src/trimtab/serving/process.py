"""A child process that never outlives its parent: started in a group of its own, ended with the whole group."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from trimtab.core.errors import EngineError

LOG_CAP_BYTES = 10 * 1024 * 1024
"""A log that grew beyond this is kept as ``NAME.log.1`` at the next start, and a new one begins."""
TAIL_BYTES = 4096
STOP_S = 10.0
"""From being told to end until being made to, where nothing else is said."""
_SECRET_NAME = re.compile(
    r"^TRIMTAB_|(^|_)(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS|DSN)(_|$)|DATABASE_URL$", re.IGNORECASE
)


class ChildProcess:
    """One program and whatever it starts.

    Its standard input is a pipe that nobody else holds: it ends with this process, however that goes, and a program
    that watches it (``trimtab.serving.lifeline`` does so for those that do not) ends too.

    Args:
        label: Begins every error message, such as ``engine 'small'``.
        command: Program and arguments; no secret belongs here, since every user can list them.
        log: Receives standard error, and standard output too where the program does not speak.
        speaks: It says one line to us on standard output (:meth:`first_line`), and nothing after that.
        stop_s: From being told to end until being made to.
        environment: Over this process's own, which is passed on without what looks like a secret: the keys of hosted
            models are no business of a local one.
    """

    def __init__(
        self,
        label: str,
        command: Sequence[str],
        *,
        log: Path,
        speaks: bool = False,
        stop_s: float = STOP_S,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.label = label
        self._command = list(command)
        self.log = log
        self._speaks = speaks
        self._stop_s = stop_s
        self._environment = {**_without_secrets(os.environ), **(environment or {})}
        self._log_begins_at = 0
        self._child: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._child.pid if self._child is not None and self._child.returncode is None else None

    async def start(self, first_input: bytes = b"") -> None:
        """Start it and write ``first_input`` to its standard input, which stays open. Nothing happens while it runs.

        Raises:
            EngineError: the program cannot be started.
        """
        if self.pid is not None:
            return
        self._make_room()
        try:
            with self.log.open("ab") as log:
                self._log_begins_at = log.tell()
                self._child = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE if self._speaks else log,
                    stderr=log,
                    env=self._environment,
                    start_new_session=True,  # a Ctrl-C in the terminal is for the parent, which drains first
                )
        except OSError as exc:
            raise EngineError(
                f"{self.label}: {self._command[0]} cannot be started: {exc.strerror}.",
                hint="Is it installed, and on the PATH of who runs Trimtab?",
            ) from exc
        assert self._child.stdin is not None
        with contextlib.suppress(ConnectionError):  # it ended already: whoever waits for it says how
            self._child.stdin.write(first_input)
            await self._child.stdin.drain()

    async def first_line(self) -> bytes:
        """Return what it first says on standard output; empty when it ended without a word.

        Raises:
            EngineError: it was not started.
        """
        child = self._started()
        assert child.stdout is not None
        return await child.stdout.readline()

    async def wait_ended(self) -> str:
        """Return in words how it ended.

        Raises:
            EngineError: it was not started.
        """
        return _ended(await self._started().wait())

    async def stop(self) -> None:
        """End it: by closing its input and asking, after ``stop_s`` by force; then whatever is left of its group."""
        child = self._child
        if child is None:
            return
        if child.returncode is None:
            assert child.stdin is not None
            child.stdin.close()
            try:
                async with asyncio.timeout(self._stop_s):
                    await child.wait()
            except TimeoutError:
                _kill_group(child.pid, signal.SIGKILL)
                await child.wait()
        _kill_group(child.pid, signal.SIGKILL)  # a helper that it left behind
        self._child = None

    def tail(self) -> str:
        """Return the last lines that it wrote since it was last started, for people; empty where there are none."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(self._log_begins_at, self.log.stat().st_size - TAIL_BYTES))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return " / ".join(line.strip() for line in lines[-3:] if line.strip())

    def _started(self) -> asyncio.subprocess.Process:
        if self._child is None:
            raise EngineError(f"{self.label} is not running: it was not started, or was stopped.")
        return self._child

    def _make_room(self) -> None:
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self.log.exists() and self.log.stat().st_size > LOG_CAP_BYTES:
                self.log.replace(self.log.with_suffix(".log.1"))
        except OSError as exc:
            raise EngineError(
                f"{self.label}: its log {self.log} cannot be written: {exc.strerror}.",
                hint="Look at the permissions of the data directory, and at the space on its disk.",
            ) from exc


def resident_bytes(pid: int | None) -> int | None:
    """Return the resident memory of a :class:`ChildProcess` and all that it started; pages they share count twice.

    ``None`` where the system does not say: only Linux does, in /proc.
    """
    if pid is None:
        return None
    pages = [_pages_in_group(folder, pid) for folder in Path("/proc").glob("[0-9]*")]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") or None


def _pages_in_group(folder: Path, group: int) -> int:
    """Return the resident pages of one process; 0 when it belongs to another group or has ended."""
    try:
        # Fields 5 and 24 of proc_pid_stat(5), counted after the name, which may hold anything.
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        return int(fields[21]) if int(fields[2]) == group else 0
    except (OSError, ValueError, IndexError):
        return 0


def free_port() -> int:
    """Return a port of loopback that nobody listens on now.

    Raises:
        EngineError: there is none.
    """
    try:
        with socket.create_server(("127.0.0.1", 0)) as free:
            return int(free.getsockname()[1])
    except OSError as exc:
        raise EngineError(f"No free port on loopback for an engine: {exc.strerror}.") from exc


def check_port(label: str, port: int) -> None:
    """Return when nobody listens on a port of loopback.

    Raises:
        EngineError: somebody does.
    """
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as exc:
        raise EngineError(
            f"{label}: port {port} of loopback cannot be used: {os.strerror(exc.errno or 0)}.",
            hint=f"End whoever listens there (`ss -ltnp 'sport = :{port}'`), or restart the service: it finds another.",
        ) from exc


def python_module(module: str) -> list[str]:
    """Return the command that runs a module of ours with this interpreter."""
    return [sys.executable, "-m", module]


def _without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not _SECRET_NAME.search(name)}


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
    return f"was ended by {name}{', as the system does when memory runs out' if name == 'SIGKILL' else ''}"


def _kill_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
