"""The demo's folder and the gateway process that runs in it."""

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from trimtab.cli import output
from trimtab.core.errors import ConfigurationError
from trimtab.server import Addresses
from trimtab.wiring import ENVIRONMENT

MARKER = ".trimtab-demo"
_MADE = (
    "trimtab-data",
    "policies",
    "evaluation-local-large.jsonl",
    "evaluation-local-small.jsonl",
    "ground-truth.json",
    "outcomes.jsonl",
    "traffic.jsonl",
    "trimtab.yaml",
    "policy.yaml",
)
"""Files of earlier versions included."""
LOG = "serve.log"
STOP_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """A gateway process and where it answers."""

    process: "subprocess.Popen[str]"
    addresses: Addresses

    def is_running(self) -> bool:
        """Return whether the process is alive."""
        return self.process.poll() is None

    def wait(self) -> None:
        """Return when the process has ended."""
        self.process.wait()

    def stop(self) -> None:
        """End the process; calls under way are finished first."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(STOP_TIMEOUT_S)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@contextlib.contextmanager
def demo_folder(folder: Path) -> Iterator[None]:
    """Hold a folder for one demo at a time, emptied of what an earlier demo made there.

    Raises:
        ConfigurationError: it holds files that no demo made, or a demo is running in it.
    """
    marker = folder / MARKER
    if folder.exists() and not marker.exists() and any(folder.iterdir()):
        raise ConfigurationError(
            f"{folder} holds files that are not the demo's.", hint="Name an empty or a new folder with --folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    with marker.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise ConfigurationError(
                f"A demo is running in {folder}.", hint="Stop it with Ctrl-C, or name another folder with --folder."
            ) from exc
        _empty(folder)
        yield


def _empty(folder: Path) -> None:
    found = [folder / name for name in _MADE if (folder / name).exists()]
    if found:
        output.note(f"replacing the earlier demo in {folder}")
    for path in found:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextlib.contextmanager
def running_gateway(config: Path, *, port: int, control_port: int) -> Iterator[RunningGateway]:
    """Run ``trimtab serve`` on a configuration, and stop it at the end.

    Raises:
        ConfigurationError: it ended before it took calls; the message has the reason from its log.
    """
    log = config.parent / LOG
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "trimtab", "--config", str(config), "serve", "--json", "--while-stdin"],
            env=_environment(port, control_port),
            stdin=subprocess.PIPE,  # its end tells the gateway that the demo is gone, even after a kill -9
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    gateway = RunningGateway(process, Addresses("", "", None))
    try:
        line = process.stdout.readline()
        if not line:
            raise ConfigurationError(f"The gateway did not start: {_reason(log)}", hint=f"All it said is in {log}.")
        yield RunningGateway(process, msgspec.json.decode(line, type=Addresses))
    finally:
        gateway.stop()


def usable_port(wanted: int) -> int:
    """Return the port when it is free, else 0, which lets the system choose one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
    return wanted


def _environment(port: int, control_port: int) -> dict[str, str]:
    """Return the environment without what would point the gateway anywhere but into the demo's folder."""
    kept = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
    return {**kept, "TRIMTAB_PORT": str(port), "TRIMTAB_CONTROL_PORT": str(control_port)}


def _reason(log: Path) -> str:
    """Return the error that a process ended with, else the last thing it said."""
    lines = log.read_text(errors="replace").strip().splitlines()
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return (errors or lines or ["it said nothing."])[-1]
