"""Anthropic's own API, ``/v1/messages``; callers in OpenAI's chat form are translated."""

from trimtab.core import Api, Clock, SystemClock
from trimtab.gateway import UpstreamRequest, UpstreamResponse
from trimtab.providers.config import ProviderConfig
from trimtab.providers.translate import translate
from trimtab.providers.upstream import HttpUpstream

ANTHROPIC_VERSION = "2023-06-01"
"""Sent when the caller names none; the only version Anthropic has published since."""


class AnthropicProvider:
    """Sends Messages bodies as they are and chat bodies translated.

    Args:
        config: ``base_url`` such as ``https://api.anthropic.com``, with or without ``/v1``.
        clock: Time for breakers, cool-downs and the ``created`` field of translated answers.

    Raises:
        ConfigurationError: the configuration cannot be used.
    """

    is_recorded = False
    output_limit_field = "max_tokens"

    def __init__(self, config: ProviderConfig, *, clock: Clock | None = None) -> None:
        self.name = config.name
        self._clock: Clock = clock or SystemClock()
        self._upstream = HttpUpstream(config, key_header="x-api-key", key_prefix="", clock=clock)
        self._path = "/messages" if (config.base_url or "").endswith("/v1") else "/v1/messages"

    def __repr__(self) -> str:
        return f"AnthropicProvider({self._upstream!r})"

    def is_available(self, model: str) -> bool:
        """Return whether a call to ``model`` would be tried at once."""
        return self._upstream.is_available(model)

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send and return once the response head has arrived; see ``trimtab.gateway.upstream.Provider``.

        Raises:
            InvalidRequest: a chat or embeddings call asks for something that Messages has no place for.
        """
        if request.api is Api.MESSAGES:
            return await self._send(request, request.body, dict(request.headers))
        translation = translate(request, Api.MESSAGES, created_s=self._clock.now_us() // 1_000_000)
        return translation.answered_by(await self._send(request, translation.body, dict(translation.headers)))

    async def _send(self, request: UpstreamRequest, body: bytes, headers: dict[str, str]) -> UpstreamResponse:
        headers.setdefault("anthropic-version", ANTHROPIC_VERSION)
        return await self._upstream.send(self._path, headers, body, model=request.model, deadline_s=request.deadline_s)

    async def aclose(self) -> None:
        """Close idle connections."""
        await self._upstream.aclose()
