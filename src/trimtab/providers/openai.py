"""Any upstream that speaks OpenAI's wire form: OpenAI itself, vLLM, Ollama, llama.cpp, a proxy."""

from urllib.parse import urlsplit

import msgspec

from trimtab.core import Api, Clock, SystemClock
from trimtab.gateway import UpstreamRequest, UpstreamResponse
from trimtab.providers.config import ProviderConfig
from trimtab.providers.translate import translate
from trimtab.providers.translate_to_chat import LimitField
from trimtab.providers.upstream import HttpUpstream

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENCODER = msgspec.json.Encoder()
_PATHS = {Api.CHAT_COMPLETIONS: "/chat/completions", Api.EMBEDDINGS: "/embeddings", Api.MESSAGES: "/messages"}


class OpenAICompatibleProvider:
    """Sends bodies as they are to ``base_url`` + ``/chat/completions``, ``/embeddings`` or ``/messages``.

    ``/messages`` only where ``config.apis`` says that the upstream speaks it; elsewhere a Messages call is translated
    into a chat call and its answer back.

    Args:
        config: ``base_url`` with whatever stands before ``/chat/completions``: ``https://api.openai.com/v1``.
        clock: Time for breakers and cool-downs.

    Raises:
        ConfigurationError: the configuration cannot be used.
    """

    is_recorded = False

    def __init__(self, config: ProviderConfig, *, clock: Clock | None = None) -> None:
        self.name = config.name
        self._clock: Clock = clock or SystemClock()
        self._native_apis = config.native_apis
        self._body_fields = {
            model: {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items()}
            for model, fields in config.body_fields.items()
        }
        self.output_limit_field: LimitField = _limit_field(config.base_url or "")
        self._upstream = HttpUpstream(config, clock=clock)

    def __repr__(self) -> str:
        return f"OpenAICompatibleProvider({self._upstream!r})"

    def is_available(self, model: str) -> bool:
        """Return whether a call to ``model`` would be tried at once."""
        return self._upstream.is_available(model)

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send and return once the response head has arrived; see ``trimtab.gateway.upstream.Provider``.

        Raises:
            InvalidRequest: a Messages call asks for something that the chat form has no place for, or the upstream
                has no embeddings.
        """
        if request.api in self._native_apis:
            return await self._upstream.send(
                _PATHS[request.api],
                request.headers,
                self._completed(request.body, request.model),
                model=request.model,
                deadline_s=request.deadline_s,
            )
        translation = translate(
            request,
            Api.CHAT_COMPLETIONS,
            created_s=self._clock.now_us() // 1_000_000,
            limit_field=self.output_limit_field,
        )
        response = await self._upstream.send(
            _PATHS[Api.CHAT_COMPLETIONS],
            translation.headers,
            self._completed(translation.body, request.model),
            model=request.model,
            deadline_s=request.deadline_s,
        )
        return translation.answered_by(response)

    def _completed(self, body: bytes, model: str) -> bytes:
        """Write the model's own fields over the caller's; every other field keeps its bytes."""
        fields = self._body_fields.get(model)
        return body if fields is None else _ENCODER.encode({**_FIELDS.decode(body), **fields})

    async def aclose(self) -> None:
        """Close idle connections."""
        await self._upstream.aclose()


def _limit_field(base_url: str) -> LimitField:
    """Return what the upstream calls the output limit: OpenAI's own hosts know the new name, others may not."""
    host = urlsplit(base_url).hostname or ""
    is_openai = host == "api.openai.com" or host.endswith((".openai.com", ".openai.azure.com"))
    return "max_completion_tokens" if is_openai else "max_tokens"
