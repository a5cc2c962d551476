"""The contenders of the evaluation benchmark, each a process of its own that prints the CPU seconds of its calls.

``python -m benchmarks.evaluation_loops KIND FORM PORT N_CASES N_CONCURRENT``. ``plain`` is the loop that everybody
writes first: httpx2, a semaphore, ``json``, and a list of texts compared with what was expected. ``openai`` is the same
with OpenAI's SDK. ``ours`` is a whole run: gateway, journal, grading, every answer in the database.
"""

import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import yaml

PROMPT = "chunks=20 gap_us=0 Say that all is well, case {}."
EXPECTED = "All is well."
Call = Callable[[int], Awaitable[str]]
POLICY = "policy: bench\norganisation: {{sensitivity: internal, store: {store}}}\n"


def cpu_s() -> float:
    """Return the CPU seconds of this process, all its threads and its ended children."""
    every = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in every)


async def loop_over(call: Call, n_cases: int, n_concurrent: int) -> int:
    """Make every call, so many at a time, and return how many answers hold the expected text."""
    gate = asyncio.Semaphore(n_concurrent)

    async def one(number: int) -> bool:
        async with gate:
            return EXPECTED in await call(number)

    return sum(await asyncio.gather(*(one(number) for number in range(n_cases))))


def body_of(number: int, form: str) -> dict[str, Any]:
    """Return the request of one case."""
    body: dict[str, Any] = {
        "model": "mock",
        "messages": [{"role": "user", "content": PROMPT.format(number)}],
        "temperature": 0,
        "max_tokens": 256,
    }
    return {**body, "stream": True, "stream_options": {"include_usage": True}} if form == "streams" else body


async def plain(form: str, port: int, n_cases: int, n_concurrent: int) -> None:
    """Loop with httpx2, the client that the SDKs use."""
    import httpx2 as httpx

    limits = httpx.Limits(max_connections=n_concurrent, max_keepalive_connections=n_concurrent)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1", limits=limits, timeout=60) as client:

        async def call(number: int) -> str:
            if form == "calls":
                answer = await client.post("/chat/completions", json=body_of(number, form))
                return str(answer.json()["choices"][0]["message"]["content"])
            pieces = []
            async with client.stream("POST", "/chat/completions", json=body_of(number, form)) as answer:
                async for line in answer.aiter_lines():
                    if line.startswith("data: ") and line != "data: [DONE]":
                        choices = json.loads(line[6:])["choices"]
                        pieces += [choice["delta"].get("content") or "" for choice in choices]
            return EXPECTED if pieces else ""  # the mock's pieces carry times; that they are there is what counts

        await loop_over(call, n_cases, n_concurrent)


async def openai(form: str, port: int, n_cases: int, n_concurrent: int) -> None:
    """Loop with OpenAI's SDK."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none") as client:

        async def call(number: int) -> str:
            answer = await client.chat.completions.create(**body_of(number, form))
            if form == "calls":
                return str(answer.choices[0].message.content)
            pieces = [choice.delta.content or "" async for chunk in answer for choice in chunk.choices]
            return EXPECTED if pieces else ""

        await loop_over(call, n_cases, n_concurrent)


async def ours(form: str, port: int, n_cases: int, n_concurrent: int, *, store: str = "metadata") -> None:
    """Do a whole run in a folder that is new."""
    from trimtab.core import SystemClock
    from trimtab.evaluation import Case, Plan, ScorerSpec, Suite, user_prompt
    from trimtab.server import status_of
    from trimtab.store import EvaluationStore, open_database
    from trimtab.wiring import load_settings
    from trimtab.wiring.evaluating import Evaluation, Order, Sampling, inner_gateway

    with tempfile.TemporaryDirectory(prefix="trimtab-bench-") as name:
        folder = Path(name)
        _configure(folder, port, n_concurrent, store)
        settings = load_settings(folder / "trimtab.yaml", environment={})
        settings.data_dir.mkdir()
        database = open_database(settings.database_url)
        cases = tuple(
            Case(
                case_id=str(number),
                messages=user_prompt(PROMPT.format(number)),
                expected=EXPECTED if form == "calls" else "t=",
                stratum="all",
            )
            for number in range(n_cases)
        )
        suite = Suite(name="bench", version="1", cases=cases, plan=Plan(scorer=ScorerSpec(name="contains")))
        order = Order(sampling=Sampling(is_stream=form == "streams"), n_concurrent=n_concurrent)
        kept = EvaluationStore(database, SystemClock())
        evaluation = Evaluation(settings, kept, suite, ["mock:mock"], order)
        gateway = inner_gateway(settings, database, evaluation.models, status_of=status_of)
        (run,) = await evaluation.run(gateway)
        results = [each.result for each in kept.results(run.run_id)]
        assert [result.score for result in results] == [1.0] * n_cases
        database.close()


async def ours_redacted(form: str, port: int, n_cases: int, n_concurrent: int) -> None:
    """Do the same where policy keeps the masked bodies of calls, as it does unless it says otherwise."""
    await ours(form, port, n_cases, n_concurrent, store="redacted")


def _configure(folder: Path, port: int, n_concurrent: int, store: str) -> None:
    provider = {"name": "mock", "kind": "openai", "base_url": f"http://127.0.0.1:{port}/v1"}
    price = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 4}
    settings = {
        "data_dir": "data",
        "policy_file": "policy.yaml",
        "log_level": "warning",
        "providers": [{**provider, "max_connections": n_concurrent}],
        "models": [{"provider": "mock", "model": "mock", "boundary": "inside", "price": price}],
    }
    (folder / "trimtab.yaml").write_text(yaml.safe_dump(settings))
    (folder / "policy.yaml").write_text(POLICY.format(store=store))


if __name__ == "__main__":
    kind, form, port, n_cases, n_concurrent = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    contender = {"plain": plain, "openai": openai, "ours": ours, "ours-redacted": ours_redacted}[kind]
    asyncio.run(contender(form, port, 32, n_concurrent))  # imports, first connections and compiled statements
    started_cpu_s, started_s = cpu_s(), time.monotonic()
    asyncio.run(contender(form, port, n_cases, n_concurrent))
    print(json.dumps({"cpu_s": cpu_s() - started_cpu_s, "wall_s": time.monotonic() - started_s}))
