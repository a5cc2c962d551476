"""Processes that end with us however that goes, and small HTTP that never waits for ever."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
from tests.support.engine_suite import left_alive
from tests.support.mock_upstream import MockUpstream

from trimtab.core.errors import EngineError
from trimtab.serving import Endpoint, process
from trimtab.serving.http import NoAnswer, ask, ask_json, ask_lines
from trimtab.serving.process import ChildProcess, check_port, free_port, python_module, resident_bytes

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
LIFELINE = python_module("trimtab.serving.lifeline")


def child(folder: Path, *command: str, **settings: Any) -> ChildProcess:
    return ChildProcess("engine 'x'", list(command), log=folder / "logs" / "x.log", **settings)


async def test_a_program_that_does_not_listen_is_made_to_end(tmp_path: Path) -> None:
    program = child(tmp_path, sys.executable, "-c", STUBBORN, speaks=True, stop_s=0.1)
    await program.start()
    assert await program.first_line() == b"up\n"
    processes = [psutil.Process(program.pid)]
    await program.stop()
    assert not await asyncio.to_thread(left_alive, processes)
    assert program.pid is None


async def test_a_program_is_started_once_and_gets_its_input(tmp_path: Path) -> None:
    program = child(tmp_path, "sh", "-c", "read line; echo got $line; cat", speaks=True)
    await program.start(b"this\n")
    pid = program.pid
    await program.start(b"that\n")
    assert program.pid == pid
    assert await program.first_line() == b"got this\n"
    await program.stop()


@pytest.mark.parametrize(
    ("command", "how"),
    [
        ("exit 0", "ended with exit code 0"),
        ("exit 7", "ended with exit code 7"),
        ("kill -TERM $$", "was ended by SIGTERM"),
        ("kill -KILL $$", "was ended by SIGKILL, as the system does when memory runs out"),
    ],
)
@pytest.mark.parametrize("before", [[], LIFELINE], ids=["itself", "lifeline"])
async def test_how_a_program_ended_is_said_through_its_lifeline_too(
    tmp_path: Path, command: str, how: str, before: list[str]
) -> None:
    program = child(tmp_path, *before, "sh", "-c", command)
    await program.start()
    assert await program.wait_ended() == how
    await program.stop()


async def test_a_helper_that_was_left_behind_ends_too(tmp_path: Path) -> None:
    program = child(tmp_path, "sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!", speaks=True)
    await program.start()
    helper = psutil.Process(int(await program.first_line()))
    await program.wait_ended()
    await program.stop()
    assert not await asyncio.to_thread(left_alive, [helper])


async def test_a_lifeline_asks_its_program_to_end_when_its_input_does(tmp_path: Path) -> None:
    said = tmp_path / "said"
    script = f"trap 'echo asked > {said}; exit 0' TERM; echo up > {tmp_path}/up; while :; do sleep 0.02; done"
    program = child(tmp_path, *LIFELINE, "sh", "-c", script)
    await program.start()
    async with asyncio.timeout(10):
        while not (tmp_path / "up").exists():
            await asyncio.sleep(0.01)
    await program.stop()
    assert said.read_text() == "asked\n"


async def test_a_program_gets_no_secret_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "HF_TOKEN", "TRIMTAB_DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "KEYBOARD", "CUDA_X"):
        monkeypatch.setenv(name, "x")
    program = child(tmp_path, "sh", "-c", "env | cut -d= -f1 | sort | tr '\\n' ' '", environment={"OWN_KEY": "y"})
    await program.start()
    await program.wait_ended()
    names = set(program.tail().split())
    await program.stop()
    assert {"PATH", "KEYBOARD", "CUDA_X", "OWN_KEY"} <= names
    assert not names & {"OPENAI_API_KEY", "HF_TOKEN", "TRIMTAB_DATABASE_URL", "AWS_SECRET_ACCESS_KEY"}


async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="engine 'x': no-such-program cannot be started: No such file") as refused:
        await child(tmp_path, "no-such-program").start()
    assert refused.value.hint


async def test_a_log_that_grew_too_long_is_kept_as_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOG_CAP_BYTES", 10)
    program = child(tmp_path, "sh", "-c", "echo a line of some length")
    for _ in range(2):
        await program.start()
        await program.wait_ended()
        assert program.tail() == "a line of some length"
        await program.stop()
    names = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert names == ["x.log", "x.log.1"]


async def test_memory_is_that_of_the_whole_group(tmp_path: Path) -> None:
    eater = f"{sys.executable} -c 'import sys; b = b\"x\" * 50_000_000; print(1, flush=True); sys.stdin.read()'"
    program = child(tmp_path, "sh", "-c", f"{eater}; exit", speaks=True)
    await program.start()
    await program.first_line()
    memory = resident_bytes(program.pid)
    await program.stop()
    if sys.platform == "linux":
        assert memory is not None
        assert 50_000_000 < memory < 200_000_000
    assert resident_bytes(None) is None


def test_a_port_is_free_until_somebody_listens_there() -> None:
    port = free_port()
    check_port("engine 'x'", port)
    with MockUpstream(port=port), pytest.raises(EngineError, match=f"engine 'x': port {port} of loopback"):
        check_port("engine 'x'", port)


@pytest.fixture
def endpoint(mock_upstream: MockUpstream) -> Endpoint:
    return Endpoint(base_url=f"{mock_upstream.url}/v1", api_key="sesame", label="engine 'x'")


@pytest.mark.parametrize(
    ("fault", "message", "status"),
    [
        ("status-503", "answered 503", 503),
        ("status-401", "answered 401", 401),
        ("redirect", "answered 302", 302),
        ("reset", "cannot be asked", None),
        ("drop", "cannot be asked", None),
        ("garbage", "cannot be asked", None),
        ("hang", "cannot be asked: timed out", None),
        ("cut-1", "cannot be asked", None),
        ("nonsense", "is not JSON", None),
        ("huge-5000000", "more than 4194304 bytes", None),
    ],
)
async def test_whatever_goes_wrong_is_no_answer_with_the_engines_name(
    endpoint: Endpoint, fault: str, message: str, status: int | None
) -> None:
    body = {"model": f"mock/{fault}", "messages": [{"role": "user", "content": "hi"}]}
    begun_s = time.monotonic()
    with pytest.raises(NoAnswer, match=message) as refused:
        await ask_json(endpoint, "chat/completions", body, timeout_s=0.5)
    assert refused.value.status == status
    assert refused.value.message.startswith("engine 'x': http://127.0.0.1:")
    assert "sesame" not in refused.value.message
    assert time.monotonic() - begun_s < 3


async def test_lines_arrive_while_the_answer_goes_on(endpoint: Endpoint, mock_upstream: MockUpstream) -> None:
    lines: list[bytes] = []
    body = {"model": "mock/gate-later/chunks-3", "messages": [], "stream": True}
    asking = asyncio.create_task(ask_lines(endpoint, "chat/completions", body, lines.append, silence_s=5))
    async with asyncio.timeout(5):
        while not lines:
            await asyncio.sleep(0.01)
    assert not asking.done()
    for _ in range(10):  # its last chunks carry no text
        mock_upstream.open_gate("later")
    await asking
    assert lines[-2:] == [b"data: [DONE]\n", b"\n"]


def test_a_silent_engine_does_not_hold_up_the_end_of_the_loop(mock_upstream: MockUpstream) -> None:
    silent = Endpoint(base_url=f"{mock_upstream.url}/v1")

    async def give_up() -> None:
        asking = ask(silent, "chat/completions", {"model": "mock/hang", "messages": []}, timeout_s=1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asking, 0.1)

    begun_s = time.monotonic()
    asyncio.run(give_up())
    assert time.monotonic() - begun_s < 0.8
    time.sleep(1)  # the thread that was given up ends in this test, not in another one


def test_the_room_is_light_to_enter() -> None:
    heavy = "{'xllamacpp', 'gguf', 'numpy', 'torch'}"
    script = f"import sys, trimtab.serving; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_a_lifeline_without_a_reader_ends_by_the_signal_of_its_program() -> None:
    command = [*LIFELINE, sys.executable, "-c", f"import os; os.kill(os.getpid(), {int(signal.SIGTERM)})"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as lifeline:
        assert lifeline.wait(20) == -signal.SIGTERM
    assert not _is_there(lifeline.pid)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
