import asyncio
import logging
from collections.abc import Callable, Mapping
from itertools import pairwise

import pytest

from trimtab.core.errors import EngineError
from trimtab.serving import Adapter, Endpoint, EngineFacts, EngineLoad, EngineState, Supervisor
from trimtab.serving import supervisor as module

FACTS = EngineFacts(models=("m",), capabilities=frozenset({"chat"}))
BACKOFF_S = (0.01, 0.02, 0.04)

READY = "ready"
"""Starts, and runs until it is told otherwise."""


class ScriptedEngine:
    """Lives one life after the other as written: ``READY``, or an error that its start ends with."""

    def __init__(self, name: str = "one", *lives: str | Exception) -> None:
        self.name = name
        self.endpoint = Endpoint(base_url="http://127.0.0.1:1/v1")
        self.models = ("m",)
        self.lives = list(lives) or [READY]
        self.seen: list[str] = []
        self.started_at_s: list[float] = []
        self.is_up = True
        self.ended: asyncio.Future[str] | None = None
        self.health_error: Exception | None = None

    async def start(self) -> None:
        self.seen.append("start")
        self.started_at_s.append(asyncio.get_running_loop().time())
        self.ended = asyncio.get_running_loop().create_future()

    async def wait_ready(self, timeout_s: float) -> EngineFacts:
        life = self.lives.pop(0) if len(self.lives) > 1 else self.lives[0]
        if isinstance(life, Exception):
            raise life
        self.is_up = True
        return FACTS

    async def wait_ended(self) -> str:
        assert self.ended is not None
        return await asyncio.shield(self.ended)

    async def is_healthy(self) -> bool:
        if self.health_error is not None:
            raise self.health_error
        return self.is_up

    async def load(self) -> EngineLoad:
        return EngineLoad()

    async def add_adapter(self, adapter: Adapter) -> None:
        raise NotImplementedError

    async def remove_adapter(self, name: str) -> None:
        raise NotImplementedError

    def body_fields(self, model: str) -> Mapping[str, object]:
        return {}

    async def drain(self, timeout_s: float) -> bool:
        self.seen.append(f"drain {timeout_s:g}")
        return True

    async def stop(self) -> None:
        self.seen.append("stop")

    def end(self, how: str = "ended with exit code 1") -> None:
        assert self.ended is not None
        self.ended.set_result(how)


class Watched:
    """A supervisor, and every change that it told of."""

    def __init__(self, *engines: ScriptedEngine) -> None:
        self.changes: list[tuple[str, EngineState]] = []
        self.supervisor = Supervisor(engines, lambda name, state: self.changes.append((name, state)))

    async def __aenter__(self) -> "Watched":
        self.supervisor.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.supervisor.stop(drain_s=1)

    def phases(self, name: str = "one") -> list[str]:
        return [state.phase for changed, state in self.changes if changed == name]

    async def until(self, phase: str, *, times: int = 1, name: str = "one") -> EngineState:
        await until(lambda: self.phases(name).count(phase) >= times)
        return [state for changed, state in self.changes if (changed, state.phase) == (name, phase)][times - 1]


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():
            await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESTART_BACKOFF_S", BACKOFF_S)
    monkeypatch.setattr(module, "HEALTH_S", 0.005)


async def test_an_engine_is_started_and_at_the_end_drained_then_stopped() -> None:
    engine = ScriptedEngine()
    async with Watched(engine) as watched:
        assert watched.supervisor.states["one"] == EngineState(phase="starting")
        ready = await watched.until("ready")
        assert ready == EngineState(phase="ready", facts=FACTS)
    assert engine.seen == ["start", "drain 1", "stop"]
    assert watched.phases() == ["ready", "stopped"]


async def test_one_that_ends_is_started_again_and_every_change_told_once() -> None:
    engine = ScriptedEngine()
    async with Watched(engine) as watched:
        await watched.until("ready")
        engine.end("was ended by SIGKILL")
        again = await watched.until("ready", times=2)
    assert watched.phases() == ["ready", "down", "starting", "ready", "stopped"]
    assert watched.changes[1][1].reason == "it was ended by SIGKILL."
    assert watched.changes[2][1].reason == "it was ended by SIGKILL."
    assert (again.n_restarts, again.reason) == (1, "")
    assert engine.seen == ["start", "stop", "start", "drain 1", "stop"]


async def test_the_wait_between_failures_grows_to_its_last_step(caplog: pytest.LogCaptureFixture) -> None:
    trouble = EngineError("engine 'one': no GPU.", hint="Plug one in.")
    engine = ScriptedEngine("one", *[trouble] * 5, READY)
    with caplog.at_level(logging.ERROR, "trimtab.serving"):
        async with Watched(engine) as watched:
            ready = await watched.until("ready")
    assert ready.n_restarts == 5
    assert watched.changes[0][1].reason == "engine 'one': no GPU. Plug one in."
    begun = engine.started_at_s
    waits_s = [later - earlier for earlier, later in pairwise(begun)]
    for waited_s, least_s in zip(waits_s, (0.01, 0.02, 0.04, 0.04, 0.04), strict=True):
        assert least_s <= waited_s < least_s + 0.5
    assert [record.message.endswith("It starts again in 0.0 s.") for record in caplog.records] == [True] * 5


async def test_the_wait_starts_over_after_a_long_life_and_not_after_a_short_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RESTART_BACKOFF_S", (0.11, 0.22, 0.33))
    monkeypatch.setattr(module, "STABLE_S", 0.05)
    engine = ScriptedEngine()
    async with Watched(engine) as watched:
        for times, lived_s in ((1, 0.0), (2, 0.0), (3, 0.1)):
            await watched.until("ready", times=times)
            await asyncio.sleep(lived_s)
            engine.end()
        await watched.until("ready", times=4)
    waits = [record.message.rpartition(" in ")[2] for record in caplog.records if "is down" in record.message]
    assert waits == ["0.1 s.", "0.2 s.", "0.1 s."]


async def test_a_long_load_that_fails_is_no_long_life(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RESTART_BACKOFF_S", (0.11, 0.22))
    monkeypatch.setattr(module, "STABLE_S", 0.01)

    class Slow(ScriptedEngine):
        async def wait_ready(self, timeout_s: float) -> EngineFacts:
            await asyncio.sleep(0.03)
            raise EngineError("engine 'one': not ready.")

    async with Watched(Slow()) as watched:
        await watched.until("down", times=2)
    waits = [record.message.rpartition(" in ")[2] for record in caplog.records if "is down" in record.message]
    assert waits[:2] == ["0.1 s.", "0.2 s."]


async def test_one_that_falls_silent_is_started_again() -> None:
    engine = ScriptedEngine()
    async with Watched(engine) as watched:
        await watched.until("ready")
        engine.is_up = False
        down = await watched.until("down")
        await watched.until("ready", times=2)
    assert down.reason == "it did not answer 3 health checks in a row."
    assert down.facts == FACTS


async def test_single_silences_are_forgiven() -> None:
    class Flickering(ScriptedEngine):
        asked = 0

        async def is_healthy(self) -> bool:
            self.asked += 1
            return self.asked % 3 == 0

    engine = Flickering()
    async with Watched(engine) as watched:
        await watched.until("ready")
        await until(lambda: engine.asked >= 12)
    assert watched.phases() == ["ready", "stopped"]


def fails_to_start(engine: ScriptedEngine) -> None:
    engine.lives = [RuntimeError("a bug")]


def fails_its_health_check(engine: ScriptedEngine) -> None:
    engine.health_error = RuntimeError("a bug")


def fails_to_stop(engine: ScriptedEngine) -> None:
    engine.lives = [EngineError("no")]

    async def stop() -> None:
        raise RuntimeError("a bug")

    engine.stop = stop  # type: ignore[method-assign]  # this one only


@pytest.mark.parametrize("breaks", [fails_to_start, fails_its_health_check, fails_to_stop])
async def test_a_bug_in_one_adapter_neither_ends_its_watch_nor_disturbs_others(
    breaks: Callable[[ScriptedEngine], None],
) -> None:
    broken, sound = ScriptedEngine("broken"), ScriptedEngine("sound")
    breaks(broken)
    async with Watched(broken, sound) as watched:
        await watched.until("down", times=3, name="broken")
        assert watched.phases("sound") == ["ready"]
    assert watched.phases("sound") == ["ready", "stopped"]
    assert watched.phases("broken")[-1] == "stopped"
    assert sound.seen == ["start", "drain 1", "stop"]


async def test_whoever_is_told_of_a_change_cannot_end_the_watch(caplog: pytest.LogCaptureFixture) -> None:
    def tell(name: str, state: EngineState) -> None:
        raise OSError("no space left")

    engine = ScriptedEngine()
    supervisor = Supervisor([engine], tell)
    supervisor.start()
    await until(lambda: supervisor.states["one"].phase == "ready")
    engine.end()
    await until(lambda: len(engine.started_at_s) == 2)
    await supervisor.stop()
    await until(lambda: supervisor.states["one"].phase == "stopped")
    assert "was not taken note of" in caplog.text


async def test_stopping_ends_a_start_that_is_under_way() -> None:
    class Endless(ScriptedEngine):
        async def wait_ready(self, timeout_s: float) -> EngineFacts:
            return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # never done

    engine = Endless()
    async with Watched(engine) as watched:
        await asyncio.sleep(0.01)
    assert watched.phases() == ["stopped"]
    assert engine.seen == ["start", "stop"]  # nothing to drain


async def test_each_engine_gets_its_own_time_to_become_ready() -> None:
    asked: dict[str, float] = {}

    class Patient(ScriptedEngine):
        async def wait_ready(self, timeout_s: float) -> EngineFacts:
            asked[self.name] = timeout_s
            return FACTS

    supervisor = Supervisor(
        [Patient("a"), Patient("b")], lambda *_: None, ready_timeout_s={"a": 7.0}, default_timeout_s=9.0
    )
    supervisor.start()
    await until(lambda: len(asked) == 2)
    await supervisor.stop()
    assert asked == {"a": 7.0, "b": 9.0}


async def test_engines_are_stopped_together() -> None:
    class Slow(ScriptedEngine):
        async def drain(self, timeout_s: float) -> bool:
            await asyncio.sleep(0.2)
            return False

    engines = [Slow(str(number)) for number in range(5)]
    async with Watched(*engines) as watched:
        for engine in engines:
            await watched.until("ready", name=engine.name)
        begun_s = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - begun_s < 0.8
    assert all(engine.seen[-1] == "stop" for engine in engines)
