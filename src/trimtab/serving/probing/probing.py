"""One probe: calibrate, time each concurrency in turn, try what the model can do, and look at memory and power."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from trimtab.catalog import ProbeResult
from trimtab.core import Clock
from trimtab.core.errors import EngineError
from trimtab.serving.engine import EngineFacts, EngineLoad
from trimtab.serving.probing import checks
from trimtab.serving.probing.arithmetic import median, prefill_speed, saturating
from trimtab.serving.probing.asking import Target
from trimtab.serving.probing.plan import ProbePlan, Prompts
from trimtab.serving.probing.run import OnCall, ProbeRun
from trimtab.serving.probing.sensors import Found, find_meter


async def probe(
    target: Target,
    plan: ProbePlan,
    *,
    name: str,
    clock: Clock,
    facts: EngineFacts | None = None,
    load: Callable[[], Awaitable[EngineLoad]] | None = None,
    context_tokens: int | None = None,
    on_call: OnCall = lambda n_done, n_total: None,
    meter: Callable[[], Found] = find_meter,
    dice: random.Random | None = None,
) -> ProbeResult:
    """Call a model and return what it did.

    The concurrencies take turns, so that a slow minute of the machine spoils no single one of them, and a slow model
    has figures for all of them before any has many.

    Args:
        target: Whom to ask.
        plan: How much.
        name: ``provider:model``, as the figures will be kept under.
        clock: Dates them.
        facts: What the engine says of itself.
        load: Asks it for its memory.
        context_tokens: Declared context where the engine says none.
        on_call: Told of progress.
        meter: Finds a power sensor; asked only where the server is on this machine.
        dice: Where prompts come from; not seeded outside tests.

    Raises:
        EngineError: the server answers no chat call.
        ConfigurationError: the timed calls do not fit into the context.
    """
    if facts is not None and facts.context_tokens is not None:
        context_tokens = facts.context_tokens
    started_us = clock.now_us()
    run = ProbeRun(target, plan.fitted(context_tokens), Prompts(dice or random.Random()), on_call)
    found = await asyncio.to_thread(meter) if target.is_local else Found(None, "the server is on another machine")
    try:
        run.meter = found.meter
        await run.calibrate(context_tokens)
        await run.time_once(run.plan.concurrencies[0])
        capabilities = await run.capabilities()
        await run.time_the_rest()
    finally:
        if found.meter is not None:
            found.meter.close()
    context = await run.context(context_tokens)
    levels = run.levels()
    memory_bytes = None if load is None else await _memory(load, run.notes)
    calls = [call for passes in run.passes.values() for one in passes for call in one.answered]
    at_least = [call for one in run.passes[run.plan.concurrencies[0]] for call in one.answered]
    return ProbeResult(
        model=name,
        measured_at_us=started_us,
        n_calls=len(calls),
        input_tokens=_whole(median(call.input_tokens for call in calls)),
        output_tokens=_whole(median(call.output_tokens for call in calls)),
        levels=levels,
        input_tokens_per_s=median(map(prefill_speed, at_least)),
        saturating_concurrency=saturating(levels),
        context=context,
        capabilities=capabilities,
        memory_bytes=memory_bytes,
        power=run.power(levels, found),
        is_complete=not run.is_over,
        notes=tuple(run.notes),
        **_of_engine(facts),
    )


def _of_engine(facts: EngineFacts | None) -> dict[str, Any]:  # Any: fields of several types
    if facts is None:
        return {}
    return {
        "slots": facts.slots,
        "n_parameters": facts.n_parameters,
        "size_bytes": facts.size_bytes,
        "precision": facts.precision,
        "engine_version": facts.version,
    }


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


async def _memory(load: Callable[[], Awaitable[EngineLoad]], notes: list[str]) -> int | None:
    try:
        return (await load()).memory_bytes
    except EngineError as exc:
        notes.append(f"Memory is unknown: {checks.shortened(exc.message)}")
        return None
