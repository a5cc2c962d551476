"""What the gateway asks of a provider. Implementations live in ``trimtab.providers``; all run one shared suite."""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

import msgspec

from trimtab.core import Api


class UpstreamRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One try at one model. ``body`` is in the caller's wire form with ``model`` already the provider's own name."""

    api: Api
    """The caller's wire form; a provider that speaks another one translates both ways."""
    model: str
    """The provider's own model name, as in the body."""
    body: bytes
    is_stream: bool
    deadline_s: float
    """``time.monotonic()`` value after which the try is over, answer or not."""
    headers: Mapping[str, str]
    """Caller's headers that may pass on (``anthropic-beta``, ``openai-organization`` ...), never credentials."""
    prompt_id: str | None = None
    """Names a recorded outcome for the ``recorded`` provider; live providers ignore it."""


class UpstreamResponse(Protocol):
    """An answer whose head has arrived. The body is in the caller's wire form."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers, lower-case names; hop-by-hop ones and content-length left out."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives, without waiting for more; ends at its end.

        Raises:
            UpstreamError: the body was cut or the deadline passed.
        """
        ...

    async def aclose(self) -> None:
        """Stop reading and give the connection back or drop it. Safe to call at any time, more than once."""
        ...


class Provider(Protocol):
    """One configured upstream."""

    @property
    def name(self) -> str:
        """The configured name, first half of ``provider:model``."""
        ...

    @property
    def is_recorded(self) -> bool:
        """Whether answers come from a file; such calls are marked in the journal."""
        ...

    @property
    def output_limit_field(self) -> str:
        """The chat field that limits output where the caller gave none: ``max_tokens``, or OpenAI's newer name."""
        ...

    def is_available(self, model: str) -> bool:
        """Whether a call to ``model`` would be tried now: breaker closed or half-open, no cool-down, a slot free."""
        ...

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send and return once the response head has arrived; any HTTP status is a return, not an error.

        Retries inside are the provider's own business and only where nothing can have been processed twice.

        Raises:
            UpstreamTimeout: the deadline passed first.
            UpstreamUnavailable: breaker open, cooling down or no slot before the deadline.
            UpstreamError: connection refused, reset, TLS failure or not HTTP.
        """
        ...

    async def aclose(self) -> None:
        """Close idle connections; calls under way end by their own deadline."""
        ...
