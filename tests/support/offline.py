"""Runs a command with the network cut: loopback is all there is, and every try to leave it is written down."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

_LOOPBACK_UP = """
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    name = b"lo".ljust(16, b"\\0")
    flags = struct.unpack_from("H", fcntl.ioctl(control, 0x8913, name + bytes(24)), 16)[0]
    fcntl.ioctl(control, 0x8914, name + struct.pack("H", flags | 1) + bytes(22))
os.execv(sys.argv[1], sys.argv[1:])
"""
"""A new network namespace has its loopback switched off (SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP)."""

_GUARD = """
import sys

def _host_of(event, arguments):
    if event == "socket.getaddrinfo":
        return arguments[0]
    if event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        return arguments[1][0]
    return None

def _watch(event, arguments):
    host = _host_of(event, arguments)
    host = host.decode() if isinstance(host, bytes) else host
    if host and host not in ("localhost", "::1", "0.0.0.0") and not host.startswith("127."):
        with open({tries!r}, "a") as tries:
            tries.write(f"{{event}} {{host}}\\n")
        raise OSError(101, "Network is unreachable")

sys.addaudithook(_watch)
"""


def namespace() -> list[str]:
    """Return the words before a command that give it a network of its own; none where that is not permitted."""
    words = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") is None or subprocess.run([*words, "true"], capture_output=True).returncode:
        return []
    return [*words, sys.executable, "-c", _LOOPBACK_UP]


def guard(folder: Path) -> tuple[dict[str, str], Path]:
    """Return an environment in which Python refuses to leave loopback, and the file of tries, made at the first."""
    tries = folder / "tries.txt"
    (folder / "sitecustomize.py").write_text(_GUARD.format(tries=str(tries)))
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}, tries
