"""A gateway with its real parts and scripted providers: one call in, one answer and one record out."""

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from trimtab.catalog import Capability, ModelCard, Pool, PriceBook, PriceConfig
from trimtab.core import Api, CallRecord, Clock, JournalEntry, SystemClock
from trimtab.core.errors import TrimtabError
from trimtab.gateway import (
    BudgetKeeper,
    Caller,
    Chooser,
    Gateway,
    GatewaySettings,
    Header,
    Inbound,
    KeyRing,
    LeaseStore,
    Measurements,
    Metrics,
    RateLimiter,
    Rulebook,
    UpstreamRequest,
)
from trimtab.policy import Policy, load_policy
from trimtab.routing import Decision, Estimate, decode_decision
from trimtab.server.errors import status_of
from trimtab.workloads import Classifier, WorkloadConfig

EVERYTHING: frozenset[Capability] = frozenset(
    {"chat", "streaming", "tools", "vision", "json_object", "json_schema", "logprobs", "embeddings"}
)
CLOUD = ModelCard(provider="cloud", model="large", capabilities=EVERYTHING, capability_rank=9, is_approved=True)
MIDDLE = ModelCard(provider="cloud", model="middle", capabilities=EVERYTHING, capability_rank=5)
INSIDE = ModelCard(
    provider="local", model="small", capabilities=EVERYTHING, capability_rank=1, boundary="inside", is_approved=True
)
POOL = Pool.of([CLOUD, MIDDLE, INSIDE])
OPEN_POLICY = "policy: open\norganisation: {sensitivity: internal}\n"
JSON: Mapping[str, str] = {"content-type": "application/json"}
SSE: Mapping[str, str] = {"content-type": "text/event-stream; charset=utf-8"}
DOLLAR = 1_000_000_000
"""Nano-dollars."""


@dataclass(frozen=True)
class Answer:
    """What a scripted provider gives back; an error among the chunks is raised where it stands."""

    chunks: Sequence[bytes | Exception] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    before_chunk: Callable[[int], Awaitable[None]] | None = None


class ScriptedResponse:
    def __init__(self, answer: Answer) -> None:
        self.status, self.headers = answer.status, answer.headers
        self.is_closed = False
        self._answer = answer

    async def chunks(self) -> AsyncIterator[bytes]:
        for index, chunk in enumerate(self._answer.chunks):
            if self._answer.before_chunk is not None:
                await self._answer.before_chunk(index)
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    async def aclose(self) -> None:
        self.is_closed = True


Script = Callable[[UpstreamRequest], Answer | Exception]


class ScriptedProvider:
    """A provider that answers by a function of the request and keeps what it was asked."""

    def __init__(self, name: str, script: Script, *, is_recorded: bool = False) -> None:
        self.name, self.script, self.is_recorded = name, script, is_recorded
        self.asked: list[UpstreamRequest] = []
        self.responses: list[ScriptedResponse] = []
        self.unavailable: set[str] = set()
        self.on_asked: Callable[[str, UpstreamRequest], None] = lambda name, request: None
        self.output_limit_field = "max_tokens"

    def is_available(self, model: str) -> bool:
        return model not in self.unavailable

    async def send(self, request: UpstreamRequest) -> ScriptedResponse:
        self.asked.append(request)
        self.on_asked(self.name, request)
        answer = self.script(request)
        if isinstance(answer, Exception):
            raise answer
        self.responses.append(ScriptedResponse(answer))
        return self.responses[-1]

    async def aclose(self) -> None:
        """Nothing is open."""


class ListRecorder:
    """A journal in a list; it keeps each decision once, as the store does."""

    def __init__(self) -> None:
        self.entries: list[JournalEntry] = []
        self.decisions: dict[str, bytes] = {}

    def record(self, entry: JournalEntry) -> None:
        self.entries.append(entry)
        if entry.decision is not None:
            self.decisions[entry.call.decision_digest or ""] = entry.decision

    def knows_decision(self, digest: str) -> bool:
        return digest in self.decisions


class MemoryLeases:
    """The database's side of every cap: what was booked and what workers hold, by scope and period."""

    def __init__(self) -> None:
        self.booked: dict[tuple[str, int], int] = defaultdict(int)
        self.leased: dict[tuple[str, int], int] = defaultdict(int)
        self._lock = threading.Lock()

    def spent(self, scope: str, first_day: int) -> int:
        return self.booked[scope, first_day]

    def lease(
        self,
        worker: str,
        scope: str,
        period: str,
        first_day: int,
        cap_nano_usd: int,
        amount_nano_usd: int,
        ttl_s: float,
        *,
        least_nano_usd: int = 1,
    ) -> int:
        with self._lock:
            key = (scope, first_day)
            left = cap_nano_usd - self.booked[key] - self.leased[key]
            granted = min(left, amount_nano_usd) if left >= max(least_nano_usd, 1) else 0
            self.leased[key] += granted
            return granted

    def give_back(self, worker: str, scope: str, period: str, first_day: int, amount_nano_usd: int) -> None:
        with self._lock:
            self.leased[scope, first_day] -= amount_nano_usd

    def reclaim(self, *args: object) -> int | None:
        """Nobody else was given anything."""
        return 0

    def renew(self, worker: str, ttl_s: float) -> None:
        """Nothing expires."""

    def book(self, scope: str, first_day: int, amount_nano_usd: int) -> None:
        """Move money from lease to ledger, as the journal does when it stores a call."""
        with self._lock:
            self.booked[scope, first_day] += amount_nano_usd
            self.leased[scope, first_day] -= amount_nano_usd


class NoEvidence:
    """A journal with no grades."""

    def quality(self, workload: str, model: str) -> Estimate | None:
        return None


@dataclass
class ListReply:
    """The client's side: what arrived, piece by piece."""

    status: int | None = None
    headers: list[Header] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    is_ended: bool = False
    before_send: Callable[[bytes], Awaitable[None]] | None = None

    async def whole(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        await self.start(status, headers)
        await self.send(body, more=False)

    async def start(self, status: int, headers: Sequence[Header]) -> None:
        assert self.status is None, "two heads"
        self.status, self.headers = status, list(headers)

    async def send(self, chunk: bytes, *, more: bool) -> None:
        assert self.status is not None, "a body before its head"
        assert not self.is_ended, "a body after its end"
        if self.before_send is not None:
            await self.before_send(chunk)
        self.chunks.append(chunk)
        self.is_ended = not more

    def status_of(self, error: TrimtabError) -> int:
        return status_of(error)

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def header(self, name: str) -> str | None:
        return next((value.decode() for key, value in self.headers if key == name.encode()), None)


@dataclass
class Outcome:
    """One served call from both sides."""

    reply: ListReply
    error: BaseException | None
    entries: list[JournalEntry]

    @property
    def call(self) -> CallRecord:
        assert len(self.entries) == 1
        return self.entries[0].call

    @property
    def tried(self) -> list[str]:
        return [attempt.model for attempt in self.call.attempts]


class Rig:
    """Everything between a request and the journal; see :meth:`call`."""

    def __init__(
        self,
        policy: str | None = OPEN_POLICY,
        *,
        script: Script | None = None,
        pool: Pool = POOL,
        price_usd_per_mtok: Decimal | None = Decimal(10),
        prices: Mapping[str, Decimal] | None = None,
        workloads: Sequence[WorkloadConfig] = (),
        leases: LeaseStore | None = None,
        settings: GatewaySettings | None = None,
        is_recorded: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self.providers = {
            name: ScriptedProvider(name, script or (lambda _: chat_answer()), is_recorded=is_recorded)
            for name in dict.fromkeys(card.provider for card in pool)
        }
        self.recorder = ListRecorder()
        self.measurements = Measurements()
        self.metrics = Metrics()
        self.rulebook = Rulebook(
            policy=None if policy is None else load_policy(policy, origin="policy.yaml"),
            pool=pool,
            prices=prices_of(prices if prices is not None else dict.fromkeys(pool.cards, price_usd_per_mtok)),
            providers=self.providers,
            classifier=Classifier(workloads),
            evidence=NoEvidence(),
        )
        self.budgets = BudgetKeeper(leases or MemoryLeases(), "w", self.clock)
        self.chooser = Chooser(self.rulebook, self.measurements, self.budgets)
        self.gateway = Gateway(
            settings=settings or GatewaySettings(),
            chooser=self.chooser,
            keys=KeyRing(b"p" * 32),
            limiter=RateLimiter(self.clock),
            budgets=self.budgets,
            recorder=self.recorder,
            measurements=self.measurements,
            metrics=self.metrics,
            clock=self.clock,
        )

    @property
    def asked(self) -> list[UpstreamRequest]:
        """Everything that any provider was asked."""
        return [request for provider in self.providers.values() for request in provider.asked]

    def policy(self, text: str) -> Policy:
        """Read a policy."""
        return load_policy(text, origin="policy.yaml")

    async def call(
        self,
        fields: Mapping[str, Any] | bytes | None = None,
        *,
        api: Api = Api.CHAT_COMPLETIONS,
        headers: Mapping[str, str] | None = None,
        caller: Caller | None = None,
        reply: ListReply | None = None,
    ) -> Outcome:
        """Serve one call to its end, whatever that is. ``Any``: the fields of a JSON body."""
        body = fields if isinstance(fields, bytes) else body_of(**(fields or {}))
        reply, seen = reply or ListReply(), len(self.recorder.entries)
        error: BaseException | None = None
        try:
            inbound = Inbound(api=api, body=body, headers=headers or {})
            await self.gateway.serve(inbound, caller or Caller(key_id="k1", app="shop"), reply)
        except (TrimtabError, asyncio.CancelledError) as exc:
            error = exc
        return Outcome(reply, error, self.recorder.entries[seen:])

    def decision_of(self, call: CallRecord) -> Decision:
        """Return the stored decision of a recorded call."""
        return decode_decision(self.recorder.decisions[call.decision_digest or ""])


def prices_of(usd_per_mtok: Mapping[str, Decimal | None]) -> PriceBook:
    """One price for each model's input and output; ``None`` leaves it unpriced."""
    given = {name: price for name, price in usd_per_mtok.items() if price is not None}
    return PriceBook({n: PriceConfig(input_usd_per_mtok=p, output_usd_per_mtok=p) for n, p in given.items()})


def body_of(text: str = "Hello, my friend", **fields: Any) -> bytes:
    """A chat request; ``Any``: JSON values."""
    return json.dumps({"model": "auto", "messages": [{"role": "user", "content": text}], **fields}).encode()


def chat_body(text: str = "Hi.", *, tokens_in: int = 10, tokens_out: int = 5) -> bytes:
    """OpenAI's answer with its usage."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "choices": choices, "usage": usage}).encode()


def chat_answer(text: str = "Hi.", *, tokens_in: int = 10, tokens_out: int = 5) -> Answer:
    """A whole answer of :func:`chat_body`."""
    return Answer([chat_body(text, tokens_in=tokens_in, tokens_out=tokens_out)])


def delta(text: str, finish_reason: str | None = None) -> bytes:
    """One event of OpenAI's chat stream."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    return b"data: " + json.dumps({"id": "c1", "choices": [choice]}).encode() + b"\n\n"


def usage_event(tokens_in: int = 10, tokens_out: int = 5) -> bytes:
    """The event that ``stream_options.include_usage`` asks for."""
    usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
    return b"data: " + json.dumps({"id": "c1", "choices": [], "usage": usage}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def stream_answer(*words: str, tail: Sequence[bytes | Exception] = (usage_event(), DONE)) -> Answer:
    """A stream of one event a word, then its tail."""
    return Answer([*(delta(word) for word in words), delta("", "stop"), *tail], headers=SSE)


def failing(status: int, message: str = "no") -> Answer:
    """A provider's error answer."""
    return Answer([json.dumps({"error": {"message": message}}).encode()], status=status)
