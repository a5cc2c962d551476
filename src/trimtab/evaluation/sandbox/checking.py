"""The program inside the sandbox: it runs a stranger's code, then the tests of it, and signs what it found.

Read by ``jail.py``, which has no packages; so nothing but the standard library is used here.
"""

import asyncio
import hashlib
import os
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

_NETWORK = (
    "socket.connect",
    "socket.bind",
    "socket.sendto",
    "socket.sendmsg",
    "socket.getaddrinfo",
    "socket.gethostby",
)
_PROCESSES = (
    "os.fork",
    "os.exec",
    "os.posix_spawn",
    "os.system",
    "os.spawn",
    "os.startfile",
    "subprocess.Popen",
    "pty.",
)
_NATIVE = ("ctypes.dlopen", "ctypes.dlsym", "ctypes.call_function", "ctypes.cdata", "os.kill", "signal.pthread_kill")
_CHANGES = (
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "os.chown",
)
_READS = ("os.listdir", "os.scandir", "os.chdir", "os.walk")
# Taken before a stranger can replace them.
_FUNCTION, _COROUTINE, _GENERATOR, _run = types.FunctionType, types.CoroutineType, types.GeneratorType, asyncio.run
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def main(order: dict[str, Any], signer: "hashlib.blake2b") -> NoReturn:  # Any: JSON of the parent's own making
    """Run the answer and its tests, write the signed report, end."""
    report_fd, write, leave = int(order.pop("report_fd")), os.write, os._exit  # before strangers can replace them
    _close_all_but(report_fd)
    sys.addaudithook(_refusing(os.path.realpath(order["folder"]), tuple(order["readable"])))
    n_passed, n_checks, why = _checked(str(order.pop("code")), str(order.pop("tests")))
    report = f"{n_passed} {n_checks} {' '.join(why.split())}".encode("utf-8", "replace")
    signer.update(report)
    write(report_fd, signer.hexdigest().encode() + b" " + report + b"\n")
    leave(0)


def _close_all_but(kept: int) -> None:
    for number in range(256):
        if number != kept and number > 2:
            try:
                os.close(number)
            except OSError:
                continue


def _refusing(folder: str, readable: tuple[str, ...]) -> Callable[[str, tuple[Any, ...]], None]:  # Any: as audited
    """Return the hook that refuses, in Python, what the kernel's walls refuse where they stand."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            _check_path(path, bool((flags or 0) & _WRITING), folder, readable)
        elif event.startswith(_CHANGES):
            for path in arguments:
                _check_path(path, True, folder, readable)
        elif event.startswith(_READS):
            _check_path(arguments[0], False, folder, readable)
        elif event.startswith(_NETWORK) or (event == "socket.__new__" and arguments[1] != 1):
            raise PermissionError("the sandbox has no network")
        elif event.startswith((*_PROCESSES, *_NATIVE)):
            raise PermissionError(f"the sandbox refuses {event}")

    return hook


def _check_path(path: object, is_change: bool, folder: str, readable: tuple[str, ...]) -> None:
    if not isinstance(path, (str, bytes)):
        return  # a number of a file that is open already
    real = os.path.realpath(os.fsdecode(path))
    places = (folder,) if is_change and real != os.devnull else (folder, *readable)
    if not any(real == place or real.startswith(place + os.sep) for place in places):
        raise PermissionError("the sandbox refuses files outside its folder")


def _checked(code: str, tests: str) -> tuple[int, int, str]:
    """Return how many checks passed, of how many, and the first thing that went wrong."""
    answer = types.ModuleType("answer")
    sys.modules["answer"] = answer
    why = _problem("the answer", lambda: exec(compile(code, "answer.py", "exec"), vars(answer)))
    own = {**vars(answer), "__name__": "tests", "__builtins__": __builtins__}
    before = dict(own)
    why = why or _problem("the tests", lambda: exec(compile(tests, "tests.py", "exec"), own))
    if why:
        return 0, 1, why
    checks = list(_checks({name: value for name, value in own.items() if before.get(name) is not value}))
    problems = [found for name, check in checks if (found := _problem(name, check))]
    n_checks = max(1, len(checks))
    return n_checks - len(problems), n_checks, problems[0] if problems else ""


def _checks(defined: Mapping[str, object]) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the functions named ``test...`` and the methods of unittest's cases, in the order of their definition."""
    for name, value in defined.items():
        if name.startswith("test") and isinstance(value, _FUNCTION):
            yield name, value
        elif isinstance(value, type) and "unittest" in sys.modules:
            import unittest

            if issubclass(value, unittest.TestCase):
                for method in unittest.TestLoader().getTestCaseNames(value):
                    yield f"{name}.{method}", value(method).debug


def _problem(name: str, check: Callable[[], object]) -> str | None:
    """Return what went wrong, or ``None``."""
    try:
        found = check()
        if isinstance(found, _COROUTINE):
            _run(found)
        elif isinstance(found, _GENERATOR):
            return f"{name} yields instead of checking"
    except BaseException as exc:  # a stranger's code may raise anything, SystemExit included
        return f"{name}: {type(exc).__name__}: {str(exc)[:200]}".rstrip(": ")
    return None
