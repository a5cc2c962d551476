"""The call's way: admit → choose → reserve → ask along the decision's list → relay → settle and record."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from trimtab.catalog import ModelCard
from trimtab.core import Api, Attempt, CallStatus, Clock, JournalEntry, from_nano_usd, new_call_id
from trimtab.core.errors import BudgetExhausted, PolicyRefused, TrimtabError, UpstreamError
from trimtab.core.messages import WireRequest
from trimtab.gateway.admission import Caller, KeyRing, require_scope, secret_from
from trimtab.gateway.budgets import BudgetKeeper, Cap, Reservation
from trimtab.gateway.calls import Flow, Inbound, Reply
from trimtab.gateway.choosing import Choice, Chooser
from trimtab.gateway.limits import RateLimiter
from trimtab.gateway.measurements import Measurements
from trimtab.gateway.metrics import Metrics
from trimtab.gateway.pricing import price_unread
from trimtab.gateway.relaying import Relay, send_cut
from trimtab.gateway.rewriting import rewritten_body
from trimtab.gateway.upstream import UpstreamRequest

PASSED_UP = ("anthropic-beta", "anthropic-version", "openai-beta", "idempotency-key", "traceparent", "tracestate")
"""Caller's headers that travel on. Credentials, cookies and addresses never do."""

FAILOVER_STATUSES = frozenset({401, 403, 404, 408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Answers after which another permitted model is asked. 400 and 422 are the caller's own mistake and pass back."""

HIDDEN_STATUSES = frozenset({401, 403})
"""A provider's complaint about *our* key: its text can quote the key, so it never reaches a caller."""


class Recorder(Protocol):
    """Where finished calls go; the journal of ``trimtab.store``."""

    def record(self, entry: JournalEntry) -> None:
        """Take the entry without blocking."""
        ...

    def knows_decision(self, digest: str) -> bool:
        """Return whether the decision of that digest is already stored, so that it need not be sent again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Limits of the data plane."""

    call_timeout_s: float = 600.0
    """Whole call, failovers included."""
    max_attempts: int = 4
    """Models asked for one call, the first included."""
    max_recorded_body_bytes: int = 262_144
    """Longer bodies are cut in the journal; what is relayed is never cut."""
    max_response_bytes: int = 64 * 1024 * 1024
    """A longer non-streaming answer is a failure of the provider."""
    is_authenticated: bool = True
    """Whether callers need a key."""


class Gateway:
    """Serves calls. One per worker; everything it is given is built in ``trimtab.wiring``."""

    def __init__(
        self,
        *,
        settings: GatewaySettings,
        chooser: Chooser,
        keys: KeyRing,
        limiter: RateLimiter,
        budgets: BudgetKeeper,
        recorder: Recorder,
        measurements: Measurements,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self.chooser = chooser
        self.keys = keys
        self._limiter = limiter
        self._budgets = budgets
        self._recorder = recorder
        self._measurements = measurements
        self.metrics = metrics
        self._clock = clock
        self._relay = Relay(
            max_response_bytes=settings.max_response_bytes, max_kept_bytes=settings.max_recorded_body_bytes
        )
        self.n_in_flight = 0

    def admit(self, headers: Mapping[str, str]) -> Caller:
        """Return the caller, or raise ``AuthenticationFailed``."""
        if not self._settings.is_authenticated:
            return Caller(key_id=None, app=headers.get("x-trimtab-app", "default")[:64])
        return self.keys.verify(secret_from(headers), self._clock.now_us())

    async def serve(self, inbound: Inbound, caller: Caller, reply: Reply) -> None:
        """Serve one call, writing the answer to ``reply`` and one record to the journal.

        Raises:
            TrimtabError: the call was refused or every permitted model failed, and nothing was sent to ``reply``;
                the error's ``call_id`` attribute names the record when there is one.
        """
        require_scope(caller, "embeddings" if inbound.api is Api.EMBEDDINGS else "inference")
        started_s, started_at_us = self._clock.monotonic_s(), self._clock.now_us()
        if caller.key_id is not None:
            self._limiter.take(caller.key_id, "calls", 1, caller.calls_per_minute)
        request = WireRequest(inbound.api, inbound.body)
        if caller.key_id is not None:
            self._limiter.take(caller.key_id, "tokens", request.estimated_input_tokens, caller.tokens_per_minute)
        choice = self.chooser.choose(request, caller, inbound.headers, now_us=started_at_us)
        flow = Flow(
            call_id=new_call_id(),
            started_at_us=started_at_us,
            started_s=started_s,
            request=request,
            caller=caller,
            choice=choice,
            clock=self._clock,
        )
        self.n_in_flight += 1
        try:
            await self._reserve(flow, inbound)
            await self._ask_along(flow, inbound, reply)
        except asyncio.CancelledError:
            flow.status, flow.http_status, flow.error_code = CallStatus.CANCELLED, 499, "client_disconnected"
            price_unread(flow)
            raise
        except TrimtabError as exc:
            flow.status = CallStatus.REFUSED if isinstance(exc, PolicyRefused | BudgetExhausted) else CallStatus.ERROR
            flow.error_code, flow.http_status = exc.code, reply.status_of(exc)
            exc.call_id = flow.call_id
            raise
        finally:
            self.n_in_flight -= 1
            self._finish(flow)

    async def _reserve(self, flow: Flow, inbound: Inbound) -> None:
        """Hold the call's estimated cost against its caps; where one is used up, decide again knowing that.

        The new decision goes to a cheaper model, refuses, or waits in line, as the policy says of that cap.
        """
        exhausted: list[Cap] = []
        while True:
            choice = flow.choice
            if choice.decision.model is None:
                raise _refusal(choice)
            if not choice.caps:
                return
            # An unpriced model is reserved at nothing: unknown is not 0, and the caps cannot see it (docs say so).
            amount = choice.made.cost_of.get(choice.decision.model) or 0
            queue = next((cap for cap in exhausted if cap.on_exhausted == "queue"), None)
            held = await self._hold(choice.caps, amount, exhausted, queue)
            if isinstance(held, Reservation):
                flow.reservation = held
                return
            if held in exhausted:
                raise _exhausted(held)
            exhausted.append(held)
            flow.choice = self.chooser.choose(
                flow.request, flow.caller, inbound.headers, now_us=flow.started_at_us, exhausted=exhausted
            )

    async def _hold(
        self, caps: tuple[Cap, ...], amount: int, exhausted: list[Cap], queue: Cap | None
    ) -> Reservation | Cap:
        """Reserve, waiting in the queue's line where there is one; a used-up cap does not bind a call that is free."""
        binding = caps
        if exhausted and amount == 0:
            binding = tuple(cap for cap in caps if cap not in exhausted or cap.on_exhausted != "downgrade")
        held = await self._budgets.reserve(binding, amount)
        if queue is None:
            return held
        deadline_s = self._clock.monotonic_s() + queue.queue_timeout_s
        while held == queue and self._clock.monotonic_s() < deadline_s:
            await asyncio.sleep(min(0.25, queue.queue_timeout_s / 10))
            held = await self._budgets.reserve(binding, amount)
        return held

    async def _ask_along(self, flow: Flow, inbound: Inbound, reply: Reply) -> None:
        """Ask the decision's models in order until one answers; relay its answer."""
        deadline_s = flow.started_s + self._settings.call_timeout_s
        failure: TrimtabError | None = None
        order = flow.choice.made.order[: self._settings.max_attempts]
        for position, card in enumerate(order):
            is_last = position == len(order) - 1
            try:
                if await self._ask(flow, card, inbound, reply, deadline_s, is_last=is_last):
                    return
            except UpstreamError as exc:
                if flow.is_answered:
                    await send_cut(flow, reply, exc)
                    return
                failure = exc
            if self._clock.monotonic_s() >= deadline_s:
                break
        raise failure or UpstreamError(
            f"No permitted model answered; asked: {', '.join(a.model for a in flow.attempts)}.",
            hint=f"`trimtab explain {flow.call_id}` lists each try.",
        )

    async def _ask(
        self, flow: Flow, card: ModelCard, inbound: Inbound, reply: Reply, deadline_s: float, *, is_last: bool
    ) -> bool:
        """Try one model. Return whether its answer was relayed; ``False`` asks for the next one."""
        provider = flow.choice.rulebook.providers[card.provider]
        request, constraints = flow.request, flow.choice.decision.constraints
        upstream = UpstreamRequest(
            api=inbound.api,
            model=card.model,
            body=rewritten_body(request, constraints, card, provider),
            is_stream=request.is_stream,
            deadline_s=deadline_s,
            headers={name: inbound.headers[name] for name in PASSED_UP if name in inbound.headers},
            prompt_id=flow.choice.prompt_id,
        )
        flow.begin_try(card.name, is_recorded=provider.is_recorded)
        outcome, status = "cancelled", None
        try:
            response = await provider.send(upstream)
            try:
                status = response.status
                outcome = "ok" if status < 400 else f"status_{status}"
                if status in FAILOVER_STATUSES and not is_last:
                    return False
                if status in HIDDEN_STATUSES:
                    raise UpstreamError(
                        f"{card.name} answered {status} to the gateway's own credentials.",
                        status=status,
                        hint="The operator should check the provider's key with `trimtab check`.",
                    )
                await self._relay.relay(flow, card, provider, response, reply)
            finally:
                await response.aclose()
        except UpstreamError as exc:
            outcome, status = exc.code, exc.status
            raise
        except TrimtabError as exc:
            outcome = exc.code
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            latency_ms = (self._clock.monotonic_s() - flow.asked_s) * 1000
            flow.attempts.append(Attempt(model=card.name, outcome=outcome, status=status, latency_ms=latency_ms))
            self.metrics.attempt(card.name, outcome)
        return True

    def _finish(self, flow: Flow) -> None:
        """Settle the reservation, write the record, count. Runs however the call ended."""
        now_s = self._clock.monotonic_s()
        flow.latency_ms = (now_s - flow.started_s) * 1000
        if flow.reservation is not None:
            self._budgets.settle(flow.reservation, flow.cost_nano_usd or 0)
        model, workload = flow.model or "none", self.chooser.label_of(flow.choice.decision.facts.workload)
        if flow.status is CallStatus.OK:
            # From when this model was asked: a failed one before it, or a wait for a budget, says nothing about it.
            first_s = flow.first_chunk_s
            self._measurements.observe(
                model,
                total_ms=(now_s - flow.asked_s) * 1000,
                ttft_ms=None if first_s is None else (first_s - flow.asked_s) * 1000,
                output_tokens=flow.usage.output_tokens,
            )
        self.metrics.call(flow.request.api.value, workload, model, flow.status.value, flow.latency_ms / 1000)
        if flow.attempts:
            self.metrics.usage(workload, model, flow.usage, flow.cost_nano_usd)
        self._recorder.record(
            flow.entry(
                max_body_bytes=self._settings.max_recorded_body_bytes,
                with_decision=not self._recorder.knows_decision(flow.choice.made.digest),
            )
        )


def _refusal(choice: Choice) -> TrimtabError:
    """Return the error for a decision without a model: a budget's when a budget emptied it, otherwise policy's."""
    decision = choice.decision
    for budget in decision.budgets:
        if budget.is_exhausted and budget.on_exhausted == "refuse":
            return BudgetExhausted(
                f"The {budget.period} budget of {budget.scope} is used up.",
                hint="It opens again with the next period, or raise it in the policy.",
            )
    return PolicyRefused(
        f"Policy leaves no model for this call: {decision.reason}",
        hint=f"Rules that applied: {', '.join(decision.rule_ids)}. `trimtab explain` shows who was removed and why.",
    )


def _exhausted(cap: Cap) -> BudgetExhausted:
    return BudgetExhausted(
        f"The {cap.period} budget of {cap.scope}, ${from_nano_usd(cap.limit_nano_usd):f}, is used up.",
        hint="It opens again with the next period, or raise it in the policy.",
    )
