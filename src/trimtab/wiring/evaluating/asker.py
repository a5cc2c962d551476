"""Who puts a run's requests to models: through a gateway of this process, or through one at an address."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from trimtab.catalog import Pool, PriceBook
from trimtab.core import Api, Clock, SystemClock
from trimtab.core.errors import AnsweredByAnother, TrimtabError
from trimtab.evaluation import Answer, AskRequest, Message, Request, is_routed
from trimtab.gateway import Caller, Gateway, Header, Inbound, Provider, UpstreamRequest
from trimtab.wiring.evaluating.wire import (
    EVALUATION_APP,
    Arrived,
    Sampling,
    chat_body,
    embeddings_body,
    read_answer,
    read_vectors,
)

CALL_TIMEOUT_S = 600.0
"""Of one call, where nobody sets a nearer deadline around it."""


class Wire(Protocol):
    """Sends one body and brings the whole answer."""

    async def send(
        self, model: str, body: bytes, headers: Mapping[str, str], *, api: Api = Api.CHAT_COMPLETIONS
    ) -> Arrived:
        """Send it in the form of ``api``; ``model`` is whose breaker counts.

        Raises:
            TrimtabError: there is no answer.
        """
        ...

    def limit_field(self, model: str) -> str:
        """Return what the model's provider calls the longest answer."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Asks models by name.

    Args:
        wire: The way to the gateway.
        pool: Its models, as far as they are known here.
        prices: What they cost.
        sensitivity: Label of every request; ``None`` leaves it to policy.
    """

    wire: Wire
    pool: Pool
    prices: PriceBook
    sensitivity: str | None = None

    def asking(self, model: str, sampling: Sampling) -> AskRequest:
        """Return how to put requests to one model."""

        async def ask(request: Request) -> Answer:
            return await self.ask(model, request.case.messages, sampling, seed=request.seed)

        return ask

    async def ask(
        self,
        model: str,
        messages: tuple[Message, ...],
        sampling: Sampling,
        *,
        seed: int | None = None,
        more: Mapping[str, object] | None = None,
    ) -> Answer:
        """Put one conversation to a model.

        Raises:
            UpstreamError: no answer.
            AnsweredByAnother: another model's than the one that was asked.
            TrimtabError: the gateway refused.
        """
        body = chat_body(model, messages, sampling, seed=seed, limit_field=self.wire.limit_field(model), more=more)
        answer = read_answer(await self.wire.send(model, body, self._headers(model)), model, self.pool, self.prices)
        card = None if is_routed(model) else self.pool.find(model)
        if card is not None and answer.model is not None and answer.model != card.name:
            raise AnsweredByAnother(f"{card.name} was asked, and {answer.model} answered.")
        return answer

    async def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """Return a model's vectors of texts, in their order.

        Raises:
            UpstreamError: no vectors came.
            TrimtabError: the gateway refused.
        """
        body = embeddings_body(model, texts)
        return read_vectors(await self.wire.send(model, body, self._headers(model), api=Api.EMBEDDINGS))

    def _headers(self, model: str) -> dict[str, str]:
        headers = {"x-trimtab-app": EVALUATION_APP}
        if self.sensitivity is not None:
            headers["x-trimtab-sensitivity"] = self.sensitivity
        if not is_routed(model):
            headers["x-trimtab-mode"] = "fixed"
        return headers


@dataclass(frozen=True, slots=True)
class InnerWire:
    """The way through a gateway of this process: no socket, no key, the same policy, budgets, retries and journal."""

    gateway: Gateway
    status_of: Callable[[TrimtabError], int]
    """Says under which HTTP status the journal keeps a refusal."""
    clock: Clock = field(default_factory=SystemClock)

    async def send(
        self, model: str, body: bytes, headers: Mapping[str, str], *, api: Api = Api.CHAT_COMPLETIONS
    ) -> Arrived:
        """Send it; see :class:`Wire`."""
        reply = _Kept(self.clock, self.status_of)
        started_s, at_us = self.clock.monotonic_s(), self.clock.now_us()
        inbound = Inbound(api=api, body=body, headers=headers)
        await self.gateway.serve(inbound, Caller(key_id=None, app=EVALUATION_APP), reply)
        return Arrived(
            status=reply.status,
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reply.headers},
            body=b"".join(reply.pieces),
            latency_ms=(self.clock.monotonic_s() - started_s) * 1000,
            ttft_ms=None if reply.first_s is None else (reply.first_s - started_s) * 1000,
            at_us=at_us,
        )

    def limit_field(self, model: str) -> str:
        """Return the field; see :class:`Wire`."""
        book = self.gateway.chooser.rulebook
        card = book.pool.find(model)
        provider = None if card is None else book.providers.get(card.provider)
        return "max_tokens" if provider is None else provider.output_limit_field


@dataclass(slots=True)
class _Kept:
    """A reply that keeps what it is sent."""

    clock: Clock
    to_status: Callable[[TrimtabError], int]
    status: int = 0
    headers: Sequence[Header] = ()
    pieces: list[bytes] = field(default_factory=list)
    first_s: float | None = None

    async def whole(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        self.status, self.headers, self.pieces = status, headers, [body]

    async def start(self, status: int, headers: Sequence[Header]) -> None:
        self.status, self.headers = status, headers

    async def send(self, chunk: bytes, *, more: bool) -> None:
        if self.first_s is None:
            self.first_s = self.clock.monotonic_s()
        self.pieces.append(chunk)

    def status_of(self, error: TrimtabError) -> int:
        return self.to_status(error)


@dataclass(frozen=True, slots=True)
class OuterWire:
    """The way to a gateway, or to any server of OpenAI's form, at an address: Trimtab's own client with its retries."""

    provider: Provider
    clock: Clock = field(default_factory=SystemClock)

    async def send(
        self, model: str, body: bytes, headers: Mapping[str, str], *, api: Api = Api.CHAT_COMPLETIONS
    ) -> Arrived:
        """Send it; see :class:`Wire`."""
        started_s, at_us = self.clock.monotonic_s(), self.clock.now_us()
        request = UpstreamRequest(
            api=api,
            model=model,
            body=body,
            is_stream=b'"stream":true' in body,
            deadline_s=started_s + CALL_TIMEOUT_S,
            headers=headers,
        )
        response = await self.provider.send(request)
        pieces: list[bytes] = []
        first_s: float | None = None
        try:
            async for piece in response.chunks():
                if first_s is None:
                    first_s = self.clock.monotonic_s()
                pieces.append(piece)
        finally:
            await response.aclose()
        return Arrived(
            status=response.status,
            headers=response.headers,
            body=b"".join(pieces),
            latency_ms=(self.clock.monotonic_s() - started_s) * 1000,
            ttft_ms=None if first_s is None else (first_s - started_s) * 1000,
            at_us=at_us,
        )

    def limit_field(self, model: str) -> str:
        """Return the field; see :class:`Wire`."""
        return "max_tokens"
