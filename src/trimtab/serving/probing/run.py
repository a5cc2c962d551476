"""The calls of one probe, in an order that a slow model and a disturbed machine allow for."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from trimtab.catalog import ProbedCapability, ProbedContext, ProbedPower, ProbeLevel
from trimtab.core.errors import EngineError
from trimtab.serving.http import NoAnswer, in_thread
from trimtab.serving.probing import checks
from trimtab.serving.probing.arithmetic import Pass, level_of, median, prefill_speed
from trimtab.serving.probing.asking import Target, Timed, ask_timed, ask_whole
from trimtab.serving.probing.plan import ProbePlan, Prompts
from trimtab.serving.probing.sensors import Found, Meter

_DIALECTS: tuple[tuple[str, Mapping[str, object]], ...] = (
    ("max_tokens", {"ignore_eos": True, "temperature": 0}),  # llama.cpp, vLLM, SGLang
    ("max_tokens", {"temperature": 0}),
    ("max_completion_tokens", {}),  # OpenAI's models that reason refuse the older name, and a temperature
)
"""The name of the output limit and what else is sent, tried in turn until the server takes it."""
REFUSED = frozenset({400, 413, 422})
"""Statuses of a request that the server does not take as it is."""
OnCall = Callable[[int, int], None]
"""Told how many calls are done, and of how many."""


@dataclass(slots=True)
class _Energy:
    joules: float = 0.0
    seconds: float = 0.0
    output_tokens: int = 0


@dataclass(slots=True)
class ProbeRun:
    """What one probe has asked and heard so far."""

    target: Target
    plan: ProbePlan
    prompts: Prompts
    on_call: OnCall
    meter: Meter | None = None
    is_over: bool = False
    """Whether a call was left out because the time was up."""
    notes: list[str] = field(default_factory=list)
    passes: dict[int, list[Pass]] = field(default_factory=dict)
    energy: dict[int, _Energy] = field(default_factory=dict)
    _n_done: int = 0
    _deadline_s: float = 0.0
    _limit_name: str = "max_tokens"
    _extra: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._deadline_s = time.monotonic() + self.plan.budget_s
        self.passes = {concurrency: [] for concurrency in self.plan.concurrencies}

    async def calibrate(self, context_tokens: int | None) -> None:
        """Find out how the server wants to be asked and how it counts tokens; both calls warm it up as well."""
        short = await self._first_answer(20)
        n_chars = 400 if context_tokens is None else min(400, context_tokens // 2)
        long = await self._timed(self.prompts.of_chars(n_chars), 1)
        if short.input_tokens is None or long.input_tokens is None:
            self.notes.append(
                "The server counts no tokens: output is counted in pieces of its stream, input is unknown."
            )
        if "ignore_eos" not in self._extra:
            self.notes.append("The server cannot be told to go on, so answers end where the model ends them.")

    async def _first_answer(self, n_chars: int) -> Timed:
        problem: NoAnswer | None = None
        for self._limit_name, self._extra in _DIALECTS:
            try:
                return await self._timed(self.prompts.of_chars(n_chars), 1)
            except NoAnswer as exc:
                if exc.status not in REFUSED:
                    raise
                problem = problem or exc
        assert problem is not None
        raise EngineError(problem.message, hint="Does it serve chat? Only such models can be probed.") from problem

    async def time_once(self, concurrency: int) -> None:
        """Begin so many calls together and wait for all of them."""
        texts = [self.prompts.of_tokens(self.plan.input_tokens) for _ in range(concurrency)]
        before_j, before_s = self._read_j(), time.monotonic()
        ended = await asyncio.gather(
            *(self._timed(text, self.plan.output_tokens) for text in texts), return_exceptions=True
        )
        elapsed_s, used_j = time.monotonic() - before_s, self._read_j() - before_j
        answered = tuple(each for each in ended if isinstance(each, Timed))
        failures = [each for each in ended if isinstance(each, BaseException)]
        bug = next((each for each in failures if not isinstance(each, NoAnswer)), None)
        if bug is not None:
            raise bug
        if failures and not answered and not any(one.answered for passes in self.passes.values() for one in passes):
            raise failures[0]
        if failures:
            note = f"Calls failed at concurrency {concurrency}: {checks.shortened(str(failures[0]))}"
            self.notes += [] if any(each.startswith(note[:40]) for each in self.notes) else [note]
        self.passes[concurrency].append(Pass(answered, len(failures)))
        energy = self.energy.setdefault(concurrency, _Energy())
        energy.joules += used_j
        energy.seconds += elapsed_s
        energy.output_tokens += sum(call.output_tokens for call in answered)

    async def time_the_rest(self) -> None:
        """Let the concurrencies take turns until each had its passes, failed as a whole, or the time is up."""
        waiting = list(self.plan.concurrencies)
        while waiting:
            for concurrency in tuple(waiting):
                passes = self.passes[concurrency]
                has_failed = bool(passes) and not passes[-1].answered
                if len(passes) >= self.plan.n_passes(concurrency) or has_failed:
                    waiting.remove(concurrency)
                elif self._has_time():
                    await self.time_once(concurrency)
                else:
                    return

    async def capabilities(self) -> tuple[ProbedCapability, ...]:
        """Try each capability once."""
        found = []
        for check in checks.CHECKS:
            if not self._has_time():
                found.append(checks.not_tried(check, "the time was up"))
                continue
            body = {**self._body(check.prompt, check.max_tokens), **check.fields}
            body.pop("ignore_eos", None)  # an answer by a schema ends where the schema does
            try:
                found.append(checks.judged(check, await self._whole(body)))
            except NoAnswer as exc:
                found.append(checks.refused(check, exc))
        return tuple(found)

    async def context(self, declared_tokens: int | None) -> ProbedContext:
        """Send one prompt near the declared context, and one beyond it."""
        if declared_tokens is None:
            return ProbedContext(
                declared_tokens=None, reason="neither the engine nor the model card says how long it is"
            )
        if not self.plan.checks_context:
            return ProbedContext(declared_tokens=declared_tokens, reason="not tried: so long a prompt costs money")
        why_not = self._too_long(declared_tokens)
        if why_not is not None:
            return ProbedContext(declared_tokens=declared_tokens, reason=why_not)
        near, problem = await self._near(declared_tokens)
        if near is None:
            return checks.context_found(declared_tokens, None, problem, None)
        above: NoAnswer | int | None
        try:
            above = (
                await self._timed(self.prompts.of_tokens(int(declared_tokens * checks.ABOVE_SHARE)), 1)
            ).input_tokens
        except NoAnswer as exc:
            above = exc
        return checks.context_found(declared_tokens, near.input_tokens, None, above)

    async def _near(self, declared_tokens: int) -> tuple[Timed | None, NoAnswer | None]:
        """Return the longest input that was answered, or how the shortest of them failed."""
        problem = None
        for share in checks.NEAR_SHARES:
            try:
                return await self._timed(self.prompts.of_tokens(int(declared_tokens * share)), 1), None
            except NoAnswer as exc:
                problem = exc
                if exc.status not in REFUSED:
                    break
        return None, problem

    def levels(self) -> tuple[ProbeLevel, ...]:
        """Return the figures of every concurrency that was tried."""
        return tuple(level_of(concurrency, passes) for concurrency, passes in self.passes.items() if passes)

    def power(self, levels: tuple[ProbeLevel, ...], found: Found) -> ProbedPower:
        """Return what was drawn at the best level."""
        totals = {level.concurrency: level.output_tokens_per_s or 0.0 for level in levels}
        if found.meter is None or not totals:
            return ProbedPower(source=found.reason or "nothing was measured")
        used = self.energy[max(totals, key=lambda concurrency: totals[concurrency])]
        has_tokens = used.output_tokens > 0
        return ProbedPower(
            power_w=used.joules / used.seconds,
            wh_per_output_mtok=used.joules / 3600 / used.output_tokens * 1e6 if has_tokens else None,
            seconds=used.seconds,
            source=found.meter.source,
        )

    def _too_long(self, declared_tokens: int) -> str | None:
        speeds = [prefill_speed(call) for passes in self.passes.values() for one in passes for call in one.answered]
        speed, left_s = median(speeds), self._deadline_s - time.monotonic()
        needed_s = 0.0 if speed is None else declared_tokens * checks.NEAR_SHARES[0] / speed
        if left_s > needed_s and self.plan.timeout_s > needed_s:
            return None
        self.is_over = True
        return f"not tried: reading {declared_tokens:,} tokens would take about {needed_s:,.0f} s, more than is left"

    def _has_time(self) -> bool:
        if time.monotonic() < self._deadline_s:
            return True
        if not self.is_over:
            self.is_over = True
            n_timed = sum(len(one.answered) + one.n_failed for passes in self.passes.values() for one in passes)
            self.notes.append(
                f"The {self.plan.budget_s:g} s were used up after {n_timed} of {self.plan.n_timed} timed calls."
            )
        return False

    def _body(self, prompt: str, max_tokens: int) -> dict[str, object]:
        return {"messages": [{"role": "user", "content": prompt}], self._limit_name: max_tokens, **self._extra}

    async def _timed(self, prompt: str, max_tokens: int) -> Timed:
        ask = partial(ask_timed, self.target, self._body(prompt, max_tokens), timeout_s=self.plan.timeout_s)
        timed: Timed = await self._counted(ask)
        if timed.input_tokens is not None:
            self.prompts.learn(prompt, timed.input_tokens)
        return timed

    async def _whole(self, body: Mapping[str, object]) -> Any:  # Any: JSON of the server
        return await self._counted(partial(ask_whole, self.target, body, timeout_s=self.plan.timeout_s))

    async def _counted(self, ask: Callable[[], Any]) -> Any:  # Any: either kind of answer
        try:
            return await in_thread(ask)
        finally:
            self._n_done += 1
            self.on_call(min(self._n_done, self.plan.n_total), self.plan.n_total)

    def _read_j(self) -> float:
        return 0.0 if self.meter is None else self.meter.read_j()
