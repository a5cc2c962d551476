"""One call across wire forms: the request on its way out, the answer on its way back.

A provider whose upstream does not speak the caller's form does this, and nothing else::

    translation = translate(request, Api.MESSAGES, created_s=now_s)
    response = await upstream.send("/v1/messages", translation.headers, translation.body, ...)
    return translation.answered_by(response)
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import msgspec

from trimtab.core import Api
from trimtab.core.errors import InvalidRequest, UpstreamError
from trimtab.gateway import UpstreamRequest, UpstreamResponse
from trimtab.providers.translate_events import EventTranslator
from trimtab.providers.translate_from_chat import MessagesStream, messages_error, messages_response
from trimtab.providers.translate_from_messages import ChatStream, chat_error, chat_response
from trimtab.providers.translate_to_chat import LimitField, chat_request
from trimtab.providers.translate_to_messages import messages_request

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""A longer answer that is not a stream is the provider's failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A request in the upstream's wire form, and the way back."""

    body: bytes
    headers: Mapping[str, str]
    """The caller's headers without those of its own wire form."""
    created_s: int
    caller_api: Api
    with_usage: bool
    """Whether a streaming chat caller asked for the usage chunk."""

    def answered_by(self, response: UpstreamResponse) -> UpstreamResponse:
        """Return the answer in the caller's wire form: a stream event by event, anything else at its end."""
        return _TranslatedResponse(response, self)

    def stream(self) -> EventTranslator:
        """Return a translator for one stream."""
        if self.caller_api is Api.MESSAGES:
            return MessagesStream()
        return ChatStream(created_s=self.created_s, with_usage=self.with_usage)

    def answer(self, body: bytes, status: int) -> bytes:
        """Return a whole answer or error in the caller's form."""
        if self.caller_api is Api.MESSAGES:
            return messages_response(body) if status < 400 else messages_error(body, status=status)
        return chat_response(body, created_s=self.created_s) if status < 400 else chat_error(body, status=status)


def translate(
    request: UpstreamRequest, upstream_api: Api, *, created_s: int, limit_field: LimitField = "max_tokens"
) -> Translation:
    """Put a request into the form that the upstream speaks.

    Args:
        request: In the caller's form, which is not ``upstream_api``.
        upstream_api: ``messages`` or ``chat_completions``.
        created_s: Unix seconds for the ``created`` field of a chat answer.
        limit_field: A chat upstream's name for the output limit.

    Raises:
        InvalidRequest: the request asks for something the other form has no place for.
    """
    if request.api is Api.CHAT_COMPLETIONS and upstream_api is Api.MESSAGES:
        body, foreign = messages_request(request.body), "openai-"
    elif request.api is Api.MESSAGES and upstream_api is Api.CHAT_COMPLETIONS:
        body, foreign = chat_request(request.body, limit_field=limit_field), "anthropic-"
    else:
        raise InvalidRequest(
            f"A {request.api.value} call cannot be put into {upstream_api.value}, which {request.model!r} speaks.",
            hint="Choose a model whose provider speaks it.",
        )
    return Translation(
        body=body,
        headers={name: value for name, value in request.headers.items() if not name.startswith(foreign)},
        created_s=created_s,
        caller_api=request.api,
        with_usage=asks_usage(request),
    )


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Asked(msgspec.Struct):
    stream_options: _StreamOptions | None = None


def asks_usage(request: UpstreamRequest) -> bool:
    """Return whether a streaming chat caller wants the usage chunk.

    Raises:
        InvalidRequest: `stream_options` has the wrong form.
    """
    if request.api is not Api.CHAT_COMPLETIONS or not request.is_stream:
        return False
    try:
        options = msgspec.json.decode(request.body, type=_Asked).stream_options
    except msgspec.DecodeError as exc:
        raise InvalidRequest(f"`stream_options` cannot be read: {exc}.", param="stream_options") from exc
    return options is not None and bool(options.include_usage)


class _TranslatedResponse:
    """An upstream's answer, read in the caller's wire form."""

    def __init__(self, inner: UpstreamResponse, translation: Translation) -> None:
        self._inner = inner
        self._translation = translation

    @property
    def status(self) -> int:
        return self._inner.status

    @property
    def headers(self) -> Mapping[str, str]:
        if self._is_stream:
            return self._inner.headers
        return {**self._inner.headers, "content-type": "application/json"}

    @property
    def _is_stream(self) -> bool:
        return self.status < 400 and self._inner.headers.get("content-type", "").startswith("text/event-stream")

    async def chunks(self) -> AsyncIterator[bytes]:
        if not self._is_stream:
            yield await self._whole()
            return
        stream = self._translation.stream()
        async for chunk in self._inner.chunks():
            translated = stream.feed(chunk)
            if translated:
                yield translated
        rest = stream.flush()
        if rest:
            yield rest

    async def _whole(self) -> bytes:
        body = bytearray()
        async for chunk in self._inner.chunks():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise UpstreamError(f"The provider answered with more than {MAX_ANSWER_BYTES} bytes.")
        return self._translation.answer(bytes(body), self.status)

    async def aclose(self) -> None:
        await self._inner.aclose()
