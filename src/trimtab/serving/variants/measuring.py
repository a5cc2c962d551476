"""What a model file does when it is served: its answers to a suite, its speed and its memory."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.core import SystemClock
from trimtab.core.errors import EngineError
from trimtab.evaluation import Answer, Ask, Case, Run, Scorer, Suite, run_suite
from trimtab.serving.build import build_engine
from trimtab.serving.config import EngineConfig
from trimtab.serving.engine import Engine
from trimtab.serving.gguf import digest_of
from trimtab.serving.http import ask_json

DEADLINE_S = 120.0
"""Of one case."""
MAX_TEXTS = 24
"""Cases whose text is predicted token by token; more would measure the same for longer."""
OnCase = Callable[[int, int], None]
"""Told how many cases are done, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How a model file is served while it is judged; the same for all that are compared."""

    logs: Path
    """Folder of the engines' logs."""
    slots: int = 4
    threads: int | None = None
    context_tokens: int | None = None
    max_tokens: int = 256
    """Longest answer."""
    ready_timeout_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A run, and what it took."""

    run: Run
    output_tokens_per_s: float | None
    """Over the whole run, all slots together; ``None`` when the engine counted no token."""
    memory_bytes: int | None
    """Resident memory of the engine at the run's end."""
    prompts: tuple[str, ...]
    """Some of the suite's conversations as the model's own template writes them."""
    answers: tuple[str, ...]
    """The right answer to each."""


async def measure_served(
    path: Path, suite: Suite, *, scorer: Scorer, serving: Serving, on_case: OnCase | None = None
) -> Served:
    """Serve a model file and ask it every case, at temperature 0.

    Raises:
        EngineError: it cannot be served.
        ModelFileError: the file cannot be used.
    """
    async with _serving(path, serving) as engine:
        started_s = time.monotonic()
        run = await run_suite(
            suite,
            _asking(engine, serving.max_tokens, _Counter(len(suite.cases), on_case)),
            model=path.stem,
            model_digest=digest_of(path),
            scorer=scorer,
            clock=SystemClock(),
            options={"temperature": 0, "max_tokens": serving.max_tokens, "slots": serving.slots},
            n_concurrent=serving.slots,
            deadline_s=DEADLINE_S,
        )
        elapsed_s = time.monotonic() - started_s
        memory_bytes = (await engine.load()).memory_bytes
        prompts = tuple([await _written(engine, case) for case in _some(suite)])
    n_tokens = sum(r.answer.output_tokens or 0 for r in run.results if r.answer is not None)
    speed = n_tokens / elapsed_s if n_tokens else None
    answers = tuple(case.expected for case in _some(suite))
    return Served(run=run, output_tokens_per_s=speed, memory_bytes=memory_bytes, prompts=prompts, answers=answers)


def _some(suite: Suite) -> Sequence[Case]:
    return suite.cases[:: max(1, len(suite.cases) // MAX_TEXTS)][:MAX_TEXTS]


async def _written(engine: Engine, case: Case) -> str:
    said = await ask_json(engine.endpoint, "/apply-template", {"messages": _messages(case)})
    prompt = said.get("prompt") if isinstance(said, dict) else None
    if not isinstance(prompt, str):
        raise EngineError("The engine did not write the conversation with the model's template.")
    return prompt


def _messages(case: Case) -> list[dict[str, str]]:
    return [{"role": each.role, "content": each.content} for each in case.messages]


@asynccontextmanager
async def _serving(path: Path, how: Serving) -> AsyncIterator[Engine]:
    config = EngineConfig(
        name="judged",
        kind="llama_cpp",
        path=path,
        slots=how.slots,
        threads=how.threads,
        context_tokens=how.context_tokens,
    )
    engine = build_engine(config, logs=how.logs)
    try:
        await engine.start()
        await engine.wait_ready(how.ready_timeout_s)
        yield engine
    finally:
        await engine.stop()


class _Counter:
    def __init__(self, n_cases: int, on_case: OnCase | None) -> None:
        self._n_cases, self._on_case, self._n_done = n_cases, on_case, 0

    def count(self) -> None:
        self._n_done += 1
        if self._on_case is not None:
            self._on_case(self._n_done, self._n_cases)


def _asking(engine: Engine, max_tokens: int, counter: _Counter) -> Ask:
    name = engine.models[0]

    async def ask(case: Case) -> Answer:
        started_s = time.monotonic()
        body = {
            "model": name,
            "messages": _messages(case),
            "temperature": 0,
            "max_tokens": max_tokens,
            **engine.body_fields(name),
        }
        try:
            said = await ask_json(engine.endpoint, "chat/completions", body, timeout_s=DEADLINE_S)
            return _answer(said, (time.monotonic() - started_s) * 1000)
        finally:
            counter.count()

    return ask


def _answer(said: Any, latency_ms: float) -> Answer:  # Any: JSON of the engine
    try:
        text, usage = said["choices"][0]["message"]["content"], said["usage"]
        return Answer(
            text=text or "",
            input_tokens=usage["prompt_tokens"],
            output_tokens=usage["completion_tokens"],
            latency_ms=latency_ms,
        )
    except (KeyError, IndexError, TypeError) as exc:
        raise EngineError(f"The engine's answer is no chat completion: {exc}.") from exc
