"""Strangers' code attacks the sandbox: behind all of its walls, the kernel's alone, and Python's alone."""

import os
import signal
import socket
import sys
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest

from trimtab.evaluation.sandbox import Limits, Report, check_code, isolating

LIMITS = Limits(wall_s=5, cpu_s=5, memory_mb=256, file_mb=4, n_files=64)
TESTS = "assert answer() == 42"
RIGHT = "def answer():\n    return 42\n"
IS_WALLED = sys.platform == "linux"


@pytest.fixture(params=["all", "kernel", "python"])
def walls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Take away the audit hook, or all that Linux adds to it, from copies of the two programs."""
    name: str = request.param
    if name == "kernel" and not IS_WALLED:
        pytest.skip("the kernel's walls are Linux's")
    jail, checking = ((isolating._HERE / file).read_text() for file in ("jail.py", "checking.py"))
    if name == "kernel":
        checking = taken(checking, "    sys.addaudithook(", "    str(")
    if name == "python":
        jail = taken(jail, '    if sys.platform != "linux":', "    if walls:")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "jail.py").write_text(jail)
    (programs / "checking.py").write_text(checking)
    monkeypatch.setattr(isolating, "_HERE", programs)
    return name


def taken(source: str, line: str, instead: str) -> str:
    assert source.count(line) == 1
    return source.replace(line, instead)


def attack(code: str, tests: str = TESTS, limits: Limits = LIMITS) -> Report:
    """Run it, and see that it leaves no process behind."""
    report = check_code(code, tests, limits)
    assert [child.cmdline() for child in psutil.Process().children(recursive=True) if "jail.py" in str(child)] == []
    return report


def test_right_code_passes_and_wrong_code_fails(walls: str) -> None:
    assert attack(RIGHT).n_passed == 1
    assert attack("def answer():\n    return 41\n").why == "the tests: AssertionError"
    assert attack("def answer(:").why == "the answer: SyntaxError: invalid syntax (answer.py, line 1)"


@pytest.mark.skipif(not IS_WALLED, reason="the kernel's walls are Linux's")
def test_a_report_says_which_walls_stood() -> None:
    found = check_code(RIGHT, TESTS, LIMITS).walls

    assert {"no new privileges", "limit: memory", "limit: processor time", "no capabilities"} <= set(found)


@pytest.mark.parametrize(
    "code",
    [
        "import os\nwhile True:\n    os.fork()",
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
        "import os\nif os.fork() == 0:\n    os.setsid()\n    import time\n    time.sleep(60)",
        "import subprocess\nsubprocess.run(['/bin/sh', '-c', 'sleep 60 & sleep 60'])",
        "import os\nos.execv('/bin/true', ['true'])",
        "import multiprocessing as m\nm.Process(target=print).start()",
    ],
    ids=["fork bomb", "stubborn fork bomb", "daemon", "shell", "exec", "multiprocessing"],
)
def test_no_other_process_is_started(walls: str, code: str) -> None:
    started = time.monotonic()

    assert attack(code, limits=Limits(wall_s=1, cpu_s=1)).n_passed == 0
    assert time.monotonic() - started < 20


def test_an_endless_loop_ends_by_the_clock(walls: str) -> None:
    assert (
        attack("import time\nwhile True:\n    time.sleep(1)", limits=Limits(wall_s=0.5)).why == "took longer than 0.5 s"
    )


def test_an_endless_loop_ends_by_processor_time(walls: str) -> None:
    found = attack("while True:\n    pass", limits=Limits(cpu_s=1, wall_s=60))

    assert found.why == f"ended by signal {int(signal.SIGXCPU)}"


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not limit address space")
def test_a_memory_hog_ends(walls: str) -> None:
    assert attack("x = []\nwhile True:\n    x.append(bytearray(1 << 20))").why == "the answer: MemoryError"


def test_files_that_grow_are_stopped(walls: str) -> None:
    one = "with open('a', 'wb') as file:\n    while True:\n        file.write(bytes(1 << 16))"
    many = (
        "n = 0\nwhile True:\n    n += 1\n    with open(str(n % 50), 'wb') as file:\n        file.write(bytes(1 << 20))"
    )
    tiny = "n = 0\nwhile True:\n    n += 1\n    open(str(n), 'w').close()"

    unnamed = "import os\nkept = []\nwhile True:\n    kept.append(open('a', 'wb'))\n    os.remove('a')\n"
    unnamed += (
        "    kept[-1].write(bytes(1 << 20))\n    kept[-1].flush()\n    len(kept) > 20 and __import__('time').sleep(9)"
    )

    assert "File too large" in (attack(one).why or "")
    assert attack(many).why == "filled more than 4 MB or 64 files"
    assert attack(tiny).why == "filled more than 4 MB or 64 files"
    if IS_WALLED:
        assert attack(unnamed).why == "filled more than 4 MB or 64 files"


def test_memory_is_not_found_elsewhere(walls: str) -> None:
    if walls == "python":
        pytest.skip("Python does not announce this one")
    code = "import os\nfor _ in range(40):\n    os.write(os.memfd_create('x'), bytes(1 << 20))\n"

    assert attack(code + RIGHT).why == "the answer: PermissionError: [Errno 1] Operation not permitted"


def test_no_connection_gets_out(walls: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        found = attack(f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1).send(b'x')\n{RIGHT}")
        with pytest.raises(TimeoutError):
            server.accept()

    assert found.n_passed == 0


def test_local_sockets_reach_nobody(walls: str, tmp_path: Path) -> None:
    place = str(tmp_path / "s")  # such as a container engine's, which would do anything for whoever may write to it
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(place)
        server.settimeout(0.2)
        for send in (f"socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).connect({place!r})",
                     f"socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'x', {place!r})"):  # fmt: skip
            assert attack(f"import socket\n{send}\n{RIGHT}").n_passed == 0, send
        with pytest.raises(TimeoutError):
            server.recv(1)


def test_nothing_is_written_read_or_removed_outside_the_folder(walls: str, tmp_path: Path) -> None:
    victim, new = tmp_path / "victim.txt", tmp_path / "new.txt"
    victim.write_text("secret")
    for change in (f"open({str(new)!r}, 'w')", f"open({str(victim)!r}).read()", f"os.remove({str(victim)!r})",
                   f"os.rename({str(victim)!r}, 'mine')", f"os.symlink('x', {str(new)!r})", f"os.mkdir({str(new)!r})",
                   f"os.listdir({str(tmp_path)!r})", "open('/etc/passwd').read()"):  # fmt: skip
        assert attack(f"import os\n{change}\n{RIGHT}").n_passed == 0, change

    assert victim.read_text() == "secret"
    assert not new.exists()


def test_its_own_folder_is_free_to_use_and_gone_afterwards(walls: str) -> None:
    code = "import os\nopen('a', 'w').write('42')\nos.rename('a', 'b')\ndef answer():\n    return int(open('b').read())"
    where = "import os\ndef answer():\n    raise ValueError(os.getcwd())"

    assert attack(code).n_passed == 1
    folder = (attack(where).why or "").removeprefix("the tests: ValueError: ")
    assert "trimtab-sandbox-" in folder
    assert not Path(folder).exists()


def test_the_parent_cannot_be_killed(walls: str) -> None:
    for kill in ("os.kill(os.getppid(), 9)", f"os.kill({os.getpid()}, 9)", "os.kill(-1, 9)"):
        assert attack(f"import os\n{kill}\n{RIGHT}").n_passed == 0, kill


def test_the_environment_and_its_secrets_are_out_of_reach(walls: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_TEST_SECRET", "hunter2")
    code = (
        "import os\nfound = str(dict(os.environ))\n"
        f"for who in ('self', os.getppid(), {os.getpid()}):\n"
        "    try:\n        found += open(f'/proc/{who}/environ').read()\n    except OSError:\n        pass\n"
        "def answer():\n    return 'hunter2' in found\n"
    )

    assert attack(code, "assert answer() is False").n_passed == 1


FAKE = "0" * 64 + " 1 1 "


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos._exit(0)",
        "import sys\nsys.exit(0)",
        "raise KeyboardInterrupt",
        "import atexit, os, _thread\n_thread.interrupt_main()",
        f"print({FAKE!r})\nraise SystemExit",
        f"import os\nfor n in range(256):\n    try:\n        os.write(n, {FAKE!r}.encode() + b'\\n')\n"
        "    except OSError:\n        pass\nos._exit(0)",
        "import os\nfor n in range(256):\n    try:\n        os.write(n, b'x' * 4000 + b'\\n')\n"
        "    except OSError:\n        pass\nos._exit(0)",
        "def answer():\n    raise SystemExit(0)",
        "import os\nfor n in range(3, 256):\n    try:\n        os.close(n)\n    except OSError:\n        pass\n"
        + RIGHT,
    ],
    ids=["_exit", "exit", "interrupt", "thread", "print", "fake report", "noise", "exit in a test", "closed report"],
)
def test_ending_early_or_writing_a_result_is_no_pass(walls: str, code: str) -> None:
    assert attack(code).n_passed == 0


@pytest.mark.parametrize(
    "code",
    [
        "import json\njson.dumps = lambda *_, **__: '1 1 '",
        "import builtins\nbuiltins.len = builtins.list = lambda *_: 1",
        "import builtins\nbuiltins.exec = builtins.compile = lambda *_: 1",
        "import inspect, types\ninspect.isfunction = lambda _: False\ntypes.FunctionType = int",
        "import os\nos.write = os._exit = lambda *_: 1",
    ],
    ids=["json", "builtins", "exec", "inspect", "os"],
)
def test_replaced_functions_make_no_pass_of_a_failure(code: str) -> None:
    wrong = f"{code}\ndef answer():\n    return 41\n"

    assert check_code(wrong, f"def test_a():\n    {TESTS}", LIMITS).n_passed == 0


def test_the_order_with_its_nonce_cannot_be_read_again(walls: str) -> None:
    code = "import os\ntry:\n    os.lseek(0, 0, 0)\nexcept OSError:\n    pass\nanswer = lambda: os.read(0, 1 << 20)"

    assert attack(code, "assert answer() == b''").n_passed == 1


def test_threads_and_event_loops_work(walls: str) -> None:
    code = (
        "import asyncio\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "async def half():\n    return await asyncio.to_thread(int, 21)\n"
        "def answer():\n    with ThreadPoolExecutor(2) as pool:\n"
        "        return sum(pool.map(lambda _: asyncio.run(half()), range(2)))\n"
    )

    assert attack(code).n_passed == 1


@pytest.mark.parametrize(
    ("tests", "n_passed", "n_checks"),
    [
        ("def test_a():\n    assert answer() == 42\ndef test_b():\n    assert answer() == 1", 1, 2),
        ("import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(answer(), 42)\n"
         "    def test_b(self): self.assertEqual(answer(), 1)", 1, 2),
        ("async def test_a():\n    assert answer() == 1", 0, 1),
        ("def test_a():\n    yield", 0, 1),
        ("def test_a(fixture):\n    pass", 0, 1),
        ("assert answer() == 1\ndef test_a():\n    pass", 0, 1),
    ],
    ids=["functions", "unittest", "asynchronous", "generator", "fixture", "assertion first"],
)  # fmt: skip
def test_tests_of_every_form_can_fail(tests: str, n_passed: int, n_checks: int) -> None:
    found = check_code(RIGHT, tests, LIMITS)

    assert (found.n_passed, found.n_checks) == (n_passed, n_checks)


def test_tests_that_the_answer_defines_are_not_counted() -> None:
    found = check_code(RIGHT + "def test_mine():\n    pass\n", "def test_a():\n    assert answer() == 1", LIMITS)

    assert (found.n_passed, found.n_checks) == (0, 1)
