"""The checks that every engine passes. ``tests/integration/test_serving_engines.py`` says on which ones."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest

from trimtab.core.errors import EngineError
from trimtab.serving import Adapter, Engine, EngineConfig
from trimtab.serving.http import NoAnswer, ask_json, ask_lines

READY_S = 20.0
_WORDS = ("red", "green", "blue", "pink", "grey", "gold", "teal", "plum")
PROMPTS = tuple(f"call {number}: {word}" for number, word in enumerate(_WORDS))


@dataclass(frozen=True, kw_only=True)
class Case:
    """One engine, not started, and what may be expected of it."""

    engine: Engine
    config: EngineConfig
    logs: Path
    model: str
    adapters: tuple[str, ...] = ()
    spare_adapter: Path | None = None
    """One more, for engines that take adapters while they run."""
    is_started_here: bool = True
    has_key: bool = True
    counts_load: bool = True
    context_tokens: int | None = None
    """``None`` where the test cannot know."""
    slots: int | None = None
    long: Mapping[str, object] = field(default_factory=lambda: {"max_tokens": 200, "ignore_eos": True})
    """What makes an answer take a good part of a second."""


class EngineSuite:
    """Needs two fixtures: ``case``, and ``ready``, a case whose engine was waited for."""

    async def test_only_an_engine_that_runs_by_itself_answers_before_it_is_started(self, case: Case) -> None:
        assert await case.engine.is_healthy() is not case.is_started_here
        if case.is_started_here:
            with pytest.raises(EngineError, match=case.engine.name):
                await case.engine.wait_ready(1)
            with pytest.raises(EngineError, match=case.engine.name):
                await case.engine.wait_ended()
            with pytest.raises(EngineError, match=case.engine.name):
                await case.engine.load()

    async def test_a_ready_engine_says_what_it_is_each_time_it_is_asked(self, case: Case) -> None:
        await case.engine.start()
        facts = await case.engine.wait_ready(READY_S)
        assert await case.engine.is_healthy()
        assert facts.models[0] == case.model
        assert set(facts.models) == {case.model, *case.adapters}
        assert {"chat", "streaming"} <= facts.capabilities
        assert facts.slots == case.slots
        assert case.context_tokens is None or facts.context_tokens == case.context_tokens
        assert facts.version
        assert await case.engine.wait_ready(READY_S) == facts
        await case.engine.start()
        assert await case.engine.wait_ready(READY_S) == facts

    async def test_it_answers_in_openais_form_with_usage(self, ready: Case) -> None:
        answer = await _chat(ready, ready.model, "hello")
        assert answer["choices"][0]["message"]["content"]
        assert answer["choices"][0]["finish_reason"] in {"stop", "length"}
        usage = answer["usage"]
        assert usage["prompt_tokens"] > 0
        assert 0 < usage["completion_tokens"] <= 12
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]

    async def test_a_stream_says_what_the_whole_answer_says(self, ready: Case) -> None:
        whole = await _chat(ready, ready.model, "hello")
        events = await _stream(ready, ready.model, "hello")
        assert _text(events) == whole["choices"][0]["message"]["content"]
        usages = [event["usage"] for event in events if event.get("usage")]
        counts = ("prompt_tokens", "completion_tokens")
        assert [usages[-1][each] for each in counts] == [whole["usage"][each] for each in counts]

    async def test_another_key_is_refused(self, ready: Case) -> None:
        if not ready.has_key:
            pytest.skip(f"{ready.engine.name} asks for no key")
        for key in ("wrong", None):
            stranger = replace(ready.engine.endpoint, api_key=key)
            with pytest.raises(NoAnswer) as refused:
                await ask_json(stranger, "chat/completions", _body(ready, ready.model, "hello"))
            assert refused.value.status == 401

    async def test_the_key_stands_in_no_command_no_repr_and_no_log(self, ready: Case) -> None:
        key = ready.engine.endpoint.api_key
        if key is None:
            pytest.skip(f"{ready.engine.name} has no key")
        await _chat(ready, ready.model, "sesame-4711")
        shown = [repr(ready.engine), repr(ready.engine.endpoint)]
        shown += [" ".join(each.cmdline()) for each in _processes(ready.engine)]
        shown += [path.read_text("utf-8", "replace") for path in ready.logs.glob("*.log")]
        assert not [text for text in shown if key in text or "sesame-4711" in text]

    async def test_its_load_counts_the_tokens_of_its_answers(self, ready: Case) -> None:
        before = await ready.engine.load()
        usage = (await _chat(ready, ready.model, "count me"))["usage"]
        after = await ready.engine.load()
        if ready.is_started_here:
            assert after.memory_bytes is not None
            assert after.memory_bytes > 10_000_000  # an interpreter at least
        if not ready.counts_load:
            assert (after.n_running, after.input_tokens, after.output_tokens) == (None, None, None)
            return
        assert (after.n_running, after.n_waiting) == (0, 0)
        assert _more(before.input_tokens, after.input_tokens) == usage["prompt_tokens"]
        assert _more(before.output_tokens, after.output_tokens) == usage["completion_tokens"]

    async def test_calls_at_the_same_time_get_the_answers_they_get_alone(self, ready: Case) -> None:
        alone = [_content(await _chat(ready, ready.model, prompt)) for prompt in PROMPTS]
        assert len(set(alone)) == len(PROMPTS)
        together = await asyncio.gather(*(_chat(ready, ready.model, prompt) for prompt in PROMPTS * 3))
        assert [_content(answer) for answer in together] == alone * 3

    async def test_draining_waits_for_a_stream_that_is_under_way(self, ready: Case) -> None:
        if not ready.counts_load:
            assert await ready.engine.drain(1)
            pytest.skip(f"{ready.engine.name} does not say how busy it is")
        stream = asyncio.create_task(_stream(ready, ready.model, "long", **ready.long))
        await _until_running(ready.engine)
        assert not await ready.engine.drain(0.01)
        assert await ready.engine.drain(READY_S)
        events = await asyncio.wait_for(stream, 1)
        assert events[-1].get("usage") or events[-1]["choices"][0]["finish_reason"]
        assert await ready.engine.drain(1)

    async def test_stopping_ends_its_processes_and_nothing_else(self, ready: Case) -> None:
        processes = _processes(ready.engine)
        assert bool(processes) is ready.is_started_here
        await ready.engine.stop()
        assert not await asyncio.to_thread(left_alive, processes)
        assert await ready.engine.is_healthy() is not ready.is_started_here
        await ready.engine.stop()

    async def test_stopping_does_not_wait_for_calls_under_way(self, ready: Case) -> None:
        if not ready.is_started_here:
            pytest.skip("nobody here stops it")
        stream = asyncio.create_task(_stream(ready, ready.model, "long", **ready.long))
        await _until_running(ready.engine)
        processes, begun_s = _processes(ready.engine), time.monotonic()
        await ready.engine.stop()
        assert time.monotonic() - begun_s < 3
        assert not await asyncio.to_thread(left_alive, processes)
        await asyncio.gather(stream, return_exceptions=True)

    async def test_it_starts_again_at_the_same_address(self, ready: Case) -> None:
        endpoint, before = ready.engine.endpoint, await _chat(ready, ready.model, "again")
        await ready.engine.stop()
        await ready.engine.start()
        await ready.engine.wait_ready(READY_S)
        assert ready.engine.endpoint == endpoint
        assert _content(await _chat(ready, ready.model, "again")) == _content(before)

    async def test_one_adapter_never_answers_with_what_another_one_cached(self, ready: Case) -> None:
        if not ready.adapters:
            pytest.skip(f"{ready.engine.name} brings its own adapters")
        models = (ready.model, *ready.adapters)
        alone = {}
        for model in models:
            await ready.engine.stop()
            await ready.engine.start()
            await ready.engine.wait_ready(READY_S)
            alone[model] = [_content(await _chat(ready, model, prompt)) for prompt in PROMPTS[:3]]
        assert len({tuple(answers) for answers in alone.values()}) == len(models)
        for model in (*models, *reversed(models)):  # each after each other one, on the same prompts
            for _ in range(2):
                assert [_content(await _chat(ready, model, prompt)) for prompt in PROMPTS[:3]] == alone[model]
        mixed = [model for model in models for _ in range(4)]
        answers = await asyncio.gather(*(_chat(ready, model, PROMPTS[0]) for model in mixed))
        assert [_content(answer) for answer in answers] == [alone[model][0] for model in mixed]

    async def test_a_caller_cannot_choose_an_adapter_but_by_its_name(self, ready: Case) -> None:
        if not ready.adapters:
            pytest.skip(f"{ready.engine.name} brings its own adapters")
        plain = _content(await _chat(ready, ready.model, "choose"))
        bent = _body(ready, ready.model, "choose", lora=[{"id": 0, "scale": 1.0}], cache_prompt=True)
        assert _content(await ask_json(ready.engine.endpoint, "chat/completions", bent)) == plain

    async def test_adapters_come_and_go_or_the_message_says_why_not(self, ready: Case) -> None:
        engine = ready.engine
        adapter = Adapter(name="spare", path=ready.spare_adapter or Path("spare.gguf"))
        if ready.spare_adapter is None:
            for change in (engine.add_adapter(adapter), engine.remove_adapter("spare")):
                with pytest.raises(EngineError, match=f"{engine.name}.*spare") as refused:
                    await change
                assert refused.value.hint
            return
        await engine.add_adapter(adapter)
        assert "spare" in engine.models
        first = _content(await _chat(ready, "spare", "hello"))
        assert first != _content(await _chat(ready, ready.model, "hello"))
        with pytest.raises(EngineError, match="'spare' already"):
            await engine.add_adapter(adapter)
        await engine.stop()
        await engine.start()
        assert "spare" in (await engine.wait_ready(READY_S)).models
        assert _content(await _chat(ready, "spare", "hello")) == first
        await engine.remove_adapter("spare")
        with pytest.raises(NoAnswer) as unknown:
            await _chat(ready, "spare", "hello")
        assert unknown.value.status == 404
        with pytest.raises(EngineError, match="no adapter 'spare'"):
            await engine.remove_adapter("spare")
        with pytest.raises(EngineError, match="nowhere"):
            await engine.add_adapter(Adapter(name="nowhere", path=ready.logs / "nowhere"))

    async def test_an_engine_that_was_killed_says_so_and_starts_again(self, ready: Case) -> None:
        if not ready.is_started_here:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ready.engine.wait_ended(), 0.05)
            return
        for victim in (0, -1):  # what watches over it, and the engine itself, where those are two
            processes = _processes(ready.engine)
            processes[victim].kill()
            assert "SIGKILL" in await asyncio.wait_for(ready.engine.wait_ended(), 10)
            await ready.engine.stop()
            assert not await asyncio.to_thread(left_alive, processes)
            await ready.engine.start()
            await ready.engine.wait_ready(READY_S)
            assert _content(await _chat(ready, ready.model, "back"))

    async def test_no_process_outlives_a_gateway_that_was_killed(self, case: Case) -> None:
        if not case.is_started_here:
            pytest.skip("nobody here starts it")
        await asyncio.to_thread(_kill_the_parent, case)


_PARENT = """
import asyncio, sys
from pathlib import Path
from trimtab.serving import EngineConfig, build_engine

async def main():
    engine = build_engine(EngineConfig.model_validate_json(sys.argv[1]), logs=Path(sys.argv[2]))
    await engine.start()
    await engine.wait_ready(20)
    print("ready", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def _kill_the_parent(case: Case) -> None:
    command = [sys.executable, "-c", _PARENT, case.config.model_dump_json(exclude_defaults=True), str(case.logs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        try:
            assert parent.stdout.readline() == b"ready\n"
            processes = psutil.Process(parent.pid).children(recursive=True)
            assert processes
        finally:
            parent.kill()
    assert not left_alive(processes)


def _body(case: Case, model: str, prompt: str, **more: object) -> dict[str, object]:
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    return body | {"max_tokens": 12, "temperature": 0} | more | dict(case.engine.body_fields(model))


async def _chat(case: Case, model: str, prompt: str) -> Any:
    return await ask_json(case.engine.endpoint, "chat/completions", _body(case, model, prompt), timeout_s=READY_S)


async def _stream(case: Case, model: str, prompt: str, **more: object) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []

    def take(line: bytes) -> None:
        if line.startswith(b"data: ") and b"[DONE]" not in line:
            events.append(json.loads(line.removeprefix(b"data: ")))

    body = _body(case, model, prompt, stream=True, stream_options={"include_usage": True}, **more)
    await ask_lines(case.engine.endpoint, "chat/completions", body, take, silence_s=READY_S)
    return events


def _text(events: Sequence[dict[str, Any]]) -> str:
    deltas = [choice["delta"] for event in events for choice in event["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


def _content(answer: Any) -> str:
    return str(answer["choices"][0]["message"]["content"])


def _more(before: int | None, after: int | None) -> int:
    assert before is not None
    assert after is not None
    return after - before


async def _until_running(engine: Engine) -> None:
    async with asyncio.timeout(5):
        while not (await engine.load()).n_running:
            await asyncio.sleep(0.005)


def _processes(engine: Engine) -> list[Any]:
    """The engine's processes, whichever started first before what it started; none where it was found running."""
    pid = getattr(engine, "pid", None)
    return [] if pid is None else [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


def left_alive(processes: Sequence[Any]) -> list[Any]:
    """Those that are alive after ten seconds; one that nobody buried is dead."""
    end_s = time.monotonic() + 10
    while left := [each for each in processes if _is_alive(each)]:
        if time.monotonic() > end_s:
            return left
        time.sleep(0.02)
    return []


def _is_alive(process: Any) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
