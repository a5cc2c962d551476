"""The program that locks itself in: it raises the kernel's walls around its own process, then runs code of a stranger.

It is started by path, isolated and without site packages, so it uses nothing but the standard library. Each wall that
stands is reported; one that the kernel refuses is left out, and the report says so.
"""

import builtins
import contextlib
import ctypes
import hashlib
import json
import os
import platform
import resource
import signal
import struct
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_ARENA_MAX = -8
_PDEATHSIG, _SET_SECCOMP, _NO_NEW_PRIVS = 1, 22, 38
_NEWUSER, _NEWNET, _CLONE_THREAD = 0x10000000, 0x40000000, 0x10000
_EPERM, _ENOSYS = 1, 38
_LIBRARIES = ("/usr/lib", "/lib", "/lib64", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/usr/share/zoneinfo")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")

# System calls that are refused outright, by the numbers of include/uapi/asm-generic/unistd.h and of x86's own table.
_REFUSED = (
    "execve", "execveat", "fork", "vfork", "kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal",
    "pidfd_open", "ptrace", "process_vm_readv", "process_vm_writev", "io_uring_setup", "unshare", "setns", "mount",
    "bpf", "perf_event_open", "keyctl", "add_key", "request_key", "userfaultfd", "setpriority", "socket", "connect",
    "bind", "memfd_create", "shmget", "msgget", "semget", "mq_open",
)  # fmt: skip
_X86_64 = {
    "execve": 59, "execveat": 322, "fork": 57, "vfork": 58, "kill": 62, "tkill": 200, "rt_sigqueueinfo": 129,
    "rt_tgsigqueueinfo": 297, "pidfd_send_signal": 424, "pidfd_open": 434, "ptrace": 101, "process_vm_readv": 310,
    "process_vm_writev": 311, "io_uring_setup": 425, "unshare": 272, "setns": 308, "mount": 165, "bpf": 321,
    "perf_event_open": 298, "keyctl": 250, "add_key": 248, "userfaultfd": 323, "setpriority": 141,
    "request_key": 249, "socket": 41, "connect": 42, "bind": 49, "memfd_create": 319, "shmget": 29, "msgget": 68,
    "semget": 64, "mq_open": 240, "clone": 56, "clone3": 435, "tgkill": 234, "socketpair": 53, "prlimit64": 302,
}  # fmt: skip
_AARCH64 = {
    "execve": 221, "execveat": 281, "kill": 129, "tkill": 130, "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240,
    "pidfd_send_signal": 424, "pidfd_open": 434, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271,
    "io_uring_setup": 425, "unshare": 97, "setns": 268, "mount": 40, "bpf": 280, "perf_event_open": 241, "keyctl": 219,
    "add_key": 217, "userfaultfd": 282, "setpriority": 140, "request_key": 218, "socket": 198, "connect": 203,
    "bind": 200, "memfd_create": 279, "shmget": 194, "msgget": 186, "semget": 190, "mq_open": 180, "clone": 220,
    "clone3": 435, "tgkill": 131, "socketpair": 199, "prlimit64": 261,
}  # fmt: skip
_MACHINES = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _AARCH64)}


def main() -> None:
    """Read the order from standard input, raise the walls, run the program."""
    order: dict[str, Any] = json.load(sys.stdin.buffer)  # Any: JSON of the parent's own making
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the order could be read again, and the nonce is in it
    signer = hashlib.blake2b(key=bytes.fromhex(order.pop("nonce")), digest_size=32)
    program = _loaded(order["program"])
    readable = [*_standard_library(), *_LIBRARIES]
    order["readable"] = [os.path.realpath(path) for path in (*readable, *_DEVICES)]
    walls = raise_walls(order["folder"], readable, order["limits"])
    os.write(order["report_fd"], "; ".join(walls).encode() + b"\n")
    program(order, signer)


def _loaded(path: str) -> Callable[..., None]:
    """Return a program's ``main``, with built-in functions of its own, which strangers cannot replace."""
    namespace: dict[str, Any] = {"__name__": "checking", "__builtins__": dict(vars(builtins))}  # Any: a module
    with open(path, encoding="utf-8") as file:
        exec(compile(file.read(), path, "exec"), namespace)
    main_function: Callable[..., None] = namespace["main"]
    return main_function


def raise_walls(folder: str, readable: Sequence[str], limits: Mapping[str, float]) -> list[str]:
    """Return the names of the walls that stand."""
    walls = _set_limits(limits)
    if sys.platform != "linux":
        return walls
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    kernel: dict[str, Callable[[], bool]] = {
        "own network namespace": lambda: _own_network(libc),
        "no capabilities": lambda: _drop_capabilities(libc),
        "no new privileges": lambda: libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) == 0,
        "files by Landlock": lambda: _restrict_files(libc, folder, readable),
        "system calls by seccomp": lambda: _restrict_calls(libc),
    }
    return walls + [name for name, stands in kernel.items() if stands()]


def _standard_library() -> list[str]:
    places = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), os.path.dirname(os.__file__)}
    return sorted({*places, *(path for path in sys.path if os.path.isdir(path) and "python" in path)})


def _set_limits(limits: Mapping[str, float]) -> list[str]:
    with contextlib.suppress(AttributeError):  # glibc gives each thread an arena of 64 MB of address space otherwise
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)
    n_bytes = {"memory": int(limits["memory_mb"]) << 20, "file size": int(limits["file_mb"]) << 20}
    wanted = {
        "processor time": (resource.RLIMIT_CPU, int(limits["cpu_s"]), int(limits["cpu_s"]) + 1),
        "memory": (resource.RLIMIT_AS, n_bytes["memory"], n_bytes["memory"]),
        "file size": (resource.RLIMIT_FSIZE, n_bytes["file size"], n_bytes["file size"]),
        "open files": (resource.RLIMIT_NOFILE, int(limits["n_files"]), int(limits["n_files"])),
        "no core dump": (resource.RLIMIT_CORE, 0, 0),
    }
    return [f"limit: {name}" for name, (kind, soft, hard) in wanted.items() if _is_limited(kind, soft, hard)]


def _is_limited(kind: int, soft: int, hard: int) -> bool:
    try:
        resource.setrlimit(kind, (soft, hard))
    except (ValueError, OSError):  # macOS knows some of them by name only
        return False
    return True


def _own_network(libc: ctypes.CDLL) -> bool:
    return bool(libc.unshare(_NEWNET) == 0 or libc.unshare(_NEWUSER | _NEWNET) == 0)


def _drop_capabilities(libc: ctypes.CDLL) -> bool:
    """Give up root's powers; a root without them is bound by file permissions like anybody else."""
    version_3 = struct.pack("=Ii", 0x20080522, 0)
    return bool(libc.capset(version_3, bytes(24)) == 0)


def _restrict_files(libc: ctypes.CDLL, folder: str, readable: Sequence[str]) -> bool:
    """Allow reading the libraries and everything but execution in the folder, by Landlock (Linux 5.13).

    Source:
        Linux, Documentation/userspace-api/landlock.rst: numbers of the calls, bits of the rights, sizes by version.
    """
    version = libc.syscall(444, None, 0, 1)
    if version < 1:
        return False
    handled = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)) - 1
    attributes = struct.pack("=QQQ", handled, 3, 3)  # no TCP from version 4 on, no signals to others from 6 on
    ruleset = libc.syscall(444, attributes, 8 if version < 4 else 16 if version < 6 else 24, 0)
    if ruleset < 0:
        return False
    read, read_folders, execute, write = 1 << 2, 1 << 3, 1, 1 << 1
    rules = [(folder, handled & ~execute), *((path, read | read_folders) for path in readable)]
    rules += [(path, read | write) for path in _DEVICES]
    for path, rights in rules:
        _allow(libc, ruleset, path, rights)
    return bool(libc.syscall(446, ruleset, 0) == 0)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    if not os.path.exists(path):
        return
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    of_files = rights if os.path.isdir(path) else rights & 0b110  # folders' rights are refused for files
    libc.syscall(445, ruleset, 1, struct.pack("=Qi", of_files, place), 0)
    os.close(place)


def _restrict_calls(libc: ctypes.CDLL) -> bool:
    """Refuse new processes, other programs, sockets but pairs of its own, and signals to others, by a seccomp filter.

    Source:
        Linux, Documentation/userspace-api/seccomp_filter.rst; offsets of ``struct seccomp_data``.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None or sys.byteorder != "little":
        return False
    steps = _filter(*machine)
    buffer = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(buffer)))
    return bool(libc.prctl(_SET_SECCOMP, 2, program, 0, 0) == 0)


def _filter(arch: int, calls: Mapping[str, int]) -> list[tuple[int, int, int, int]]:
    """Return the filter's steps: (code, steps to skip when true, when false, operand)."""
    load, equal, more, bits, mask, give = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
    allow, refuse, unknown = 0x7FFF0000, 0x00050000 | _EPERM, 0x00050000 | _ENOSYS
    number, architecture, first, second = 0, 4, 16, 24

    def unless(call: str, test: int, operand: int) -> list[tuple[int, int, int, int]]:
        """Refuse a call unless its first argument passes the test."""
        return [
            (equal, 0, 4, calls[call]),
            (load, 0, 0, first), (test, 0, 1, operand), (give, 0, 0, allow), (give, 0, 0, refuse),
        ]  # fmt: skip

    steps = [(load, 0, 0, architecture), (equal, 1, 0, arch), (give, 0, 0, refuse), (load, 0, 0, number)]
    steps += [(more, 0, 1, 0x40000000), (give, 0, 0, refuse)]  # the numbers of x32
    for name in _REFUSED:
        if name in calls:
            steps += [(equal, 0, 1, calls[name]), (give, 0, 0, refuse)]
    steps += [(equal, 0, 1, calls["clone3"]), (give, 0, 0, unknown)]  # the C library then calls clone
    steps += unless("clone", bits, _CLONE_THREAD)
    steps += unless("tgkill", equal, os.getpid())
    steps += [  # pairs that asyncio wakes itself with are streams; a datagram could be sent to any name
        (equal, 0, 5, calls["socketpair"]),
        (load, 0, 0, second), (mask, 0, 0, 0xF), (equal, 0, 1, 1), (give, 0, 0, allow), (give, 0, 0, refuse),
    ]  # fmt: skip
    steps += unless("prlimit64", equal, 0)
    return [*steps, (give, 0, 0, allow)]


if __name__ == "__main__":
    main()
