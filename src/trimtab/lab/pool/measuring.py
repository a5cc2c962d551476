"""How good a model file is: it is served by llama.cpp as in production, and asked held-out cases."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from trimtab.lab.office import STRATA, OfficeCase, Stratum, is_right, office_cases
from trimtab.lab.pool.cards import Accuracy
from trimtab.serving import EngineConfig, build_engine
from trimtab.serving.http import ask_json

SLOTS = 8
MEASURE_SEED = 2_026
ANSWER_TOKENS = 96
"""More than the longest right answer takes."""
READY_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 120.0


def measure_model(
    path: Path, *, n_cases: int = 400, seed: int = MEASURE_SEED, strata: Sequence[Stratum] = STRATA, n_threads: int = 2
) -> tuple[Accuracy, ...]:
    """Ask a model cases of the test split and count the right answers.

    Args:
        path: A GGUF file.
        n_cases: Of each stratum.
        seed: Of the cases.
        strata: Which ones.
        n_threads: Processor threads of the server.

    Returns:
        Each stratum followed by its tasks.

    Raises:
        EngineError: the model cannot be served.
    """
    cases = office_cases("test", n_cases * len(strata), seed=seed, strata=strata)
    answers = asyncio.run(answers_of(path, [case.prompt for case in cases], n_threads=n_threads))
    return counted(cases, answers)


def counted(cases: Sequence[OfficeCase], answers: Sequence[str]) -> tuple[Accuracy, ...]:
    """Return the accuracy by stratum and task."""
    n_cases: Counter[tuple[Stratum, str | None, str | None]] = Counter()
    n_right: Counter[tuple[Stratum, str | None, str | None]] = Counter()
    for case, answer in zip(cases, answers, strict=True):
        for key in ((case.stratum, None, None), (case.stratum, case.task, case.task_type)):
            n_cases[key] += 1
            n_right[key] += is_right(case, answer)
    order = list(dict.fromkeys(case.stratum for case in cases))
    keys = sorted(n_cases, key=lambda key: (order.index(key[0]), key[1] or ""))
    return tuple(
        Accuracy.counted(stratum, n_right[stratum, task, kind], n_cases[stratum, task, kind], task=task, task_type=kind)
        for stratum, task, kind in keys
    )


async def answers_of(path: Path, prompts: Sequence[str], *, n_threads: int = 2) -> list[str]:
    """Serve a model file, ask it every prompt at temperature 0 and return the answers in order.

    Raises:
        EngineError: the model cannot be served.
    """
    config = EngineConfig(name="pool", kind="llama_cpp", path=path, context_tokens=512, slots=SLOTS, threads=n_threads)
    with tempfile.TemporaryDirectory() as logs:
        engine = build_engine(config, logs=Path(logs))
        await engine.start()
        try:
            await engine.wait_ready(READY_TIMEOUT_S)
            free = asyncio.Semaphore(SLOTS)

            async def answer(prompt: str) -> str:
                body = {
                    "messages": [{"role": "user", "content": prompt}],
                    "temperature": 0,
                    "max_tokens": ANSWER_TOKENS,
                }
                async with free:
                    said = await ask_json(engine.endpoint, "chat/completions", body, timeout_s=ANSWER_TIMEOUT_S)
                return str(said["choices"][0]["message"]["content"])

            return list(await asyncio.gather(*map(answer, prompts)))
        finally:
            await engine.stop()
