"""One call on its way: what the caller sent, where the answer goes, and what has happened so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

import msgspec

from trimtab.core import (
    NO_USAGE,
    Api,
    Attempt,
    CallRecord,
    CallStatus,
    Clock,
    CostSource,
    JournalEntry,
    StoreMode,
    Usage,
    to_nano_usd,
)
from trimtab.core.errors import TrimtabError
from trimtab.core.messages import WireRequest
from trimtab.gateway.admission import Caller
from trimtab.gateway.budgets import Reservation
from trimtab.gateway.choosing import Choice

Header = tuple[bytes, bytes]


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """A request as the server received it."""

    api: Api
    body: bytes
    headers: Mapping[str, str]
    """Lower-case names, of those the gateway knows."""


class Reply(Protocol):
    """Where the answer goes."""

    async def whole(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        """Send an answer in one piece; the headers include its length."""
        ...

    async def start(self, status: int, headers: Sequence[Header]) -> None:
        """Send the head."""
        ...

    async def send(self, chunk: bytes, *, more: bool) -> None:
        """Send a part of the body; waits while the client is slow."""
        ...

    def status_of(self, error: TrimtabError) -> int:
        """Return the status by which the client is told of an error that came before any answer."""
        ...


RECORDED_SCORE = "x-trimtab-recorded-score"
RECORDED_COST_USD = "x-trimtab-recorded-cost-usd"
"""Headers by which the ``recorded`` provider hands over what was measured; they go no further."""


class Recorded(msgspec.Struct, frozen=True):
    """What a recorded answer carries beyond its bytes: the outcome that was measured when it was recorded."""

    quality_fraction: float | None = None
    cost_nano_usd: int | None = None

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> "Recorded":
        """Read the headers that the ``recorded`` provider sets; live providers are never read this way."""
        score, cost = headers.get(RECORDED_SCORE), headers.get(RECORDED_COST_USD)
        return cls(
            None if score is None else float(score),
            None if cost is None else to_nano_usd(Decimal(cost)),
        )


NOT_RECORDED = Recorded()


@dataclass(slots=True, kw_only=True)
class Flow:
    """The mutable state of one call, from decision to record."""

    call_id: str
    started_at_us: int
    started_s: float
    request: WireRequest
    caller: Caller
    choice: Choice
    attempts: list[Attempt] = field(default_factory=list)
    reservation: Reservation | None = None
    status: CallStatus = CallStatus.ERROR
    http_status: int = 500
    error_code: str | None = None
    model: str | None = None
    is_recorded: bool = False
    usage: Usage = NO_USAGE
    finish_reason: str | None = None
    cost_nano_usd: int | None = None
    cost_source: str = CostSource.UNPRICED
    clock: Clock
    asked_s: float = 0.0
    """When the newest model was asked."""
    first_chunk_s: float | None = None
    latency_ms: float | None = None
    recorded: Recorded = NOT_RECORDED
    response: list[bytes] = field(default_factory=list)
    n_stream_bytes: int = 0
    """Bytes of a stream that the provider has sent."""
    is_answered: bool = False
    """Whether any byte of an answer has gone to the client; from then on no failover is possible."""

    def begin_try(self, model: str, *, is_recorded: bool) -> None:
        """Note whom is asked now; nothing of an earlier try stays."""
        self.model, self.is_recorded = model, is_recorded
        self.recorded = NOT_RECORDED
        self.usage, self.finish_reason, self.error_code = NO_USAGE, None, None
        self.cost_nano_usd, self.cost_source = None, CostSource.UNPRICED
        self.n_stream_bytes = 0
        self.asked_s = self.clock.monotonic_s()

    def on_first_chunk(self) -> None:
        """Note the time of the first chunk of a stream."""
        self.first_chunk_s = self.clock.monotonic_s()

    @property
    def ttft_ms(self) -> float | None:
        """From the call's start to the first chunk, as the client saw it."""
        return None if self.first_chunk_s is None else (self.first_chunk_s - self.started_s) * 1000

    def record(self) -> CallRecord:
        """Return the row of the journal."""
        decision = self.choice.decision
        facts = decision.facts
        return CallRecord(
            call_id=self.call_id,
            started_at_us=self.started_at_us,
            api=facts.api,
            app=facts.app,
            key_id=self.caller.key_id,
            workload=facts.workload,
            workload_class=facts.workload_class,
            task_type=facts.task_type,
            sensitivity=decision.constraints.sensitivity,
            conversation_id=self.choice.conversation_id,
            prompt_id=self.choice.prompt_id,
            requested_model=self.request.model,
            model=self.model,
            mode=decision.constraints.mode,
            policy_version=decision.constraints.policy_version,
            rule_id=decision.rule_ids[0] if decision.rule_ids else None,
            decision_digest=self.choice.made.digest,
            propensity=decision.propensity,
            status=self.status,
            http_status=self.http_status,
            error_code=self.error_code,
            is_stream=self.request.is_stream,
            is_recorded=self.is_recorded,
            attempts=tuple(self.attempts),
            usage=self.usage,
            cost_nano_usd=self.cost_nano_usd,
            cost_source=self.cost_source,
            latency_ms=self.latency_ms,
            ttft_ms=self.ttft_ms,
            quality_fraction=self.recorded.quality_fraction,
            finish_reason=self.finish_reason,
            n_tools=facts.n_tools,
            store_mode=decision.constraints.store,
        )

    def entry(self, *, max_body_bytes: int, with_decision: bool) -> JournalEntry:
        """Return what the journal is given; bodies only where the policy keeps them, cut at ``max_body_bytes``."""
        record = self.record()
        keeps_bodies = record.store_mode in (StoreMode.REDACTED, StoreMode.FULL)
        return JournalEntry(
            call=record,
            decision=self.choice.made.encoded if with_decision else None,
            request_body=self.request.body[:max_body_bytes] if keeps_bodies else None,
            response_body=b"".join(self.response)[:max_body_bytes] if keeps_bodies and self.response else None,
        )
