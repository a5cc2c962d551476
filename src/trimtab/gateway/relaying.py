"""One provider's answer on its way to the caller: read, priced, counted and passed on as it comes."""

import msgspec

from trimtab.catalog import ModelCard
from trimtab.core import Api, CallStatus, from_nano_usd
from trimtab.core.errors import UpstreamError
from trimtab.core.sse import StreamFilter
from trimtab.core.usage_reader import StreamUsage, usage_from_response
from trimtab.gateway.calls import Flow, Header, Recorded, Reply
from trimtab.gateway.pricing import price
from trimtab.gateway.rewriting import asks_usage_itself
from trimtab.gateway.upstream import Provider, UpstreamResponse

PASSED_DOWN = frozenset({"content-type", "retry-after", "request-id", "x-request-id", "openai-processing-ms"})
"""Provider's headers that travel back, with those on rate limits."""

_NOT_PRINTABLE = bytes([*range(32), 127])


class Relay:
    """Passes answers on.

    Args:
        max_response_bytes: A longer answer that is not a stream is the provider's failure.
        max_kept_bytes: How much of a stream is kept for the journal.
    """

    def __init__(self, *, max_response_bytes: int, max_kept_bytes: int) -> None:
        self._max_response_bytes = max_response_bytes
        self._max_kept_bytes = max_kept_bytes

    async def relay(
        self, flow: Flow, card: ModelCard, provider: Provider, response: UpstreamResponse, reply: Reply
    ) -> None:
        """Pass one answer on, whatever its status, and note in the flow what it says of itself.

        Raises:
            UpstreamError: the answer broke off, or is longer than the limit.
        """
        status = response.status
        if provider.is_recorded:
            flow.recorded = Recorded.from_headers(response.headers)
        if status < 400 and response.headers.get("content-type", "").startswith("text/event-stream"):
            await self._stream(flow, card, response, reply)
        else:
            await self._whole(flow, card, response, reply)
        flow.http_status = status
        flow.status = CallStatus.OK if status < 400 and flow.error_code is None else CallStatus.ERROR
        if status >= 400:
            flow.error_code = f"upstream_status_{status}"

    async def _whole(self, flow: Flow, card: ModelCard, response: UpstreamResponse, reply: Reply) -> None:
        """Read the answer to its end, price it, then send head and body together."""
        parts: list[bytes] = []
        size = 0
        async for chunk in response.chunks():
            parts.append(chunk)
            size += len(chunk)
            if size > self._max_response_bytes:
                raise UpstreamError(
                    f"{card.name} answered with more than {self._max_response_bytes} bytes.",
                    hint="Raise `limits.max_response_bytes`, or ask for a stream.",
                )
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        flow.response = [body]
        if response.status < 400:
            flow.usage, flow.finish_reason = usage_from_response(flow.request.api, body)
            price(flow, card)
        flow.is_answered = True
        headers = _headers(flow, response)
        headers.append((b"content-length", str(len(body)).encode()))
        if flow.cost_nano_usd is not None:
            headers.append((b"x-trimtab-cost-usd", f"{from_nano_usd(flow.cost_nano_usd):f}".encode()))
        await reply.whole(response.status, headers, body)

    async def _stream(self, flow: Flow, card: ModelCard, response: UpstreamResponse, reply: Reply) -> None:
        """Forward each chunk as it comes; the head waits for the first one, so both leave together."""
        reader = StreamUsage(flow.request.api)
        stream_filter = StreamFilter() if asks_usage_itself(flow.request) else None
        kept, room = flow.response, self._max_kept_bytes
        try:
            async for raw in response.chunks():
                reader.feed(raw)
                flow.n_stream_bytes += len(raw)
                chunk = raw if stream_filter is None else stream_filter.feed(raw)
                if not chunk:
                    continue
                if not flow.is_answered:
                    await _begin(flow, response, reply)
                if room > 0:
                    kept.append(chunk)
                    room -= len(chunk)
                await reply.send(chunk, more=True)
        finally:
            flow.usage, flow.finish_reason = reader.usage, reader.finish_reason
            price(flow, card)
        if reader.is_error:
            flow.error_code = "upstream_error_event"
        if not flow.is_answered:
            raise UpstreamError(f"{card.name} opened a stream and closed it without a chunk.")
        await reply.send(b"" if stream_filter is None else stream_filter.flush(), more=False)


async def _begin(flow: Flow, response: UpstreamResponse, reply: Reply) -> None:
    flow.on_first_chunk()
    headers = _headers(flow, response)
    headers += ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))
    await reply.start(response.status, headers)
    flow.is_answered = True


async def send_cut(flow: Flow, reply: Reply, exc: UpstreamError) -> None:
    """Tell the client inside the stream that it broke off after its start."""
    flow.status, flow.error_code, flow.http_status = CallStatus.ERROR, exc.code, 200
    if flow.request.api is Api.MESSAGES:
        told: object = {"type": "error", "error": {"type": "api_error", "message": exc.message}}
        frame = b"event: error\ndata: " + msgspec.json.encode(told) + b"\n\n"
    else:
        error = {"message": exc.message, "type": "upstream_error", "param": None, "code": exc.code}
        frame = b"data: " + msgspec.json.encode({"error": error}) + b"\n\n"
    flow.response.append(frame)
    await reply.send(frame, more=False)


def _headers(flow: Flow, response: UpstreamResponse) -> list[Header]:
    headers = [
        (name.encode("latin-1"), _header_value(value))
        for name, value in response.headers.items()
        if name in PASSED_DOWN or name.startswith(("x-ratelimit-", "anthropic-ratelimit-"))
    ]
    headers += (
        (b"x-trimtab-call-id", flow.call_id.encode()),
        (b"x-trimtab-model", _header_value(flow.model or "")),
        (b"x-trimtab-workload", _header_value(flow.choice.decision.facts.workload)),
        (b"x-trimtab-decision", flow.choice.made.digest.encode()),
    )
    if flow.is_recorded:
        headers.append((b"x-trimtab-recorded", b"1"))
    return headers


def _header_value(text: str) -> bytes:
    """Return the text as a header value: printable ASCII only, so that nothing can smuggle a line break."""
    return text.encode("ascii", "replace").translate(None, _NOT_PRINTABLE)
