"""The data plane: OpenAI's and Anthropic's routes as a bare ASGI application, bytes in and bytes out.

No framework stands here: a router object, a request object and a response object cost more than the whole of
Trimtab's own work on a call (decision 0003).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import msgspec

from trimtab.core import Api, Clock, Feedback
from trimtab.core.errors import InvalidRequest, NotFound, RateLimited, RequestTooLarge, TrimtabError
from trimtab.gateway import Caller, Gateway, Header, Inbound, require_scope
from trimtab.server.errors import body_of, status_of
from trimtab.server.http import CONNECTION, GuardedProtocol
from trimtab.store import FeedbackStore
from trimtab.wiring import WorkerHealth
from trimtab.workloads import redact

log = logging.getLogger("trimtab.server")

Scope = dict[str, Any]  # Any: ASGI's own shape
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

KNOWN_HEADERS: dict[bytes, str] = {
    name.encode(): name
    for name in (
        "authorization",
        "x-api-key",
        "content-length",
        "content-encoding",
        "x-trimtab-app",
        "x-trimtab-workload",
        "x-trimtab-sensitivity",
        "x-trimtab-mode",
        "x-trimtab-conversation",
        "x-trimtab-prompt-id",
        "anthropic-beta",
        "anthropic-version",
        "openai-beta",
        "idempotency-key",
        "traceparent",
        "tracestate",
    )
}
"""Request headers that are read; the rest is neither decoded nor passed on."""

_CALLS = {
    "/v1/chat/completions": Api.CHAT_COMPLETIONS,
    "/v1/messages": Api.MESSAGES,
    "/v1/embeddings": Api.EMBEDDINGS,
}
_JSON = (b"content-type", b"application/json")


class FeedbackBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /v1/feedback``."""

    call_id: Annotated[str, msgspec.Meta(max_length=256)]
    score: float
    comment: Annotated[str, msgspec.Meta(max_length=4000)] | None = None
    source: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,31}\Z")] = "user"
    """Who judged. A name: each source has sums of its own, which the router reads."""


class DataPlane:
    """The ASGI application of one worker."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        feedback: FeedbackStore,
        health: WorkerHealth,
        clock: Clock,
        max_body_bytes: int,
        body_timeout_s: float,
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._feedback = feedback
        self._health = health
        self._max_body_bytes = max_body_bytes
        self._body_timeout_s = body_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        if scope["type"] != "http":
            return
        api = _CALLS.get(scope["path"])
        headers = _known(scope["headers"])
        reply = _AsgiReply(scope, send)
        try:
            if api is not None:
                await self._call(api, scope, headers, receive, reply)
            else:
                await self._other(scope, headers, receive, send)
        except _ClientGone:
            return
        except TrimtabError as exc:
            if exc.call_id is None:
                self._gateway.metrics.reject(exc.code)
            await _send_error(send, exc, api or Api.CHAT_COMPLETIONS)
        except Exception:  # the request boundary: a bug answers 500 with no detail, and is logged with its traceback
            log.exception("unexpected failure on %r", scope["path"])
            if reply.is_started:
                raise
            await _send_error(send, TrimtabError("Something failed inside the gateway; its log has the details."), api)

    async def _call(
        self, api: Api, scope: Scope, headers: dict[str, str], receive: Receive, reply: "_AsgiReply"
    ) -> None:
        if scope["method"] != "POST":
            raise InvalidRequest(f"{scope['method']} is not allowed on {scope['path']}.", hint="Use POST.")
        caller = self._gateway.admit(headers)
        body = await self._body(scope, headers, receive)
        inbound = Inbound(api=api, body=body, headers=headers)
        serving = asyncio.current_task()
        assert serving is not None
        connection: GuardedProtocol = scope["extensions"][CONNECTION]
        is_gone = False

        def leave() -> None:
            nonlocal is_gone
            is_gone = True
            serving.cancel()

        connection.on_gone = leave
        try:
            await self._gateway.serve(inbound, caller, reply)
        except asyncio.CancelledError:
            if is_gone:
                raise _ClientGone from None
            raise
        finally:
            if connection.on_gone is leave:  # the next call of a pipeline may have begun
                connection.on_gone = None

    async def _body(self, scope: Scope, headers: dict[str, str], receive: Receive) -> bytes:
        """Read the body, refusing by its announced or its counted size before anything is parsed."""
        if "content-encoding" in headers and headers["content-encoding"] != "identity":
            raise InvalidRequest(
                f"Content-Encoding {headers['content-encoding']!r} is not accepted.", hint="Send the body uncompressed."
            )
        announced = headers.get("content-length", "")
        if announced.isdigit() and len(announced) < 20 and int(announced) > self._max_body_bytes:
            raise _too_large(announced, self._max_body_bytes)
        if scope["extensions"][CONNECTION].is_body_whole:  # the usual case, and a timer costs as much as the reading
            return await self._read_to_end(receive)
        try:
            async with asyncio.timeout(self._body_timeout_s):
                return await self._read_to_end(receive)
        except TimeoutError as exc:
            raise InvalidRequest(f"The body did not arrive within {self._body_timeout_s:g} s.") from exc

    async def _read_to_end(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _ClientGone
            part: bytes = message["body"]
            parts.append(part)
            size += len(part)
            if size > self._max_body_bytes:
                raise _too_large(f"more than {self._max_body_bytes}", self._max_body_bytes)
            if not message.get("more_body"):
                return part if len(parts) == 1 else b"".join(parts)

    async def _other(self, scope: Scope, headers: dict[str, str], receive: Receive, send: Send) -> None:
        method = scope["method"]
        route = ("GET" if method == "HEAD" else method, scope["path"])
        if route == ("GET", "/healthz"):
            await _send(send, 200, b'{"status":"ok"}')
        elif route == ("GET", "/readyz"):
            await self._readyz(send)
        elif route == ("GET", "/metrics"):
            await _send(send, 200, self._gateway.metrics.render(), (b"content-type", b"text/plain; version=0.0.4"))
        elif route == ("GET", "/v1/models"):
            self._gateway.admit(headers)
            await _send(send, 200, self._models())
        elif route == ("POST", "/v1/feedback"):
            caller = self._gateway.admit(headers)
            await self._take_feedback(caller, await self._body(scope, headers, receive), send)
        else:
            self._gateway.admit(headers)
            raise NotFound(f"There is no {scope['method']} {scope['path']}.", hint="Routes: docs/reference/http.md.")

    async def _readyz(self, send: Send) -> None:
        """Ready means calls are served; degraded is still ready, and says why."""
        reason = self._health.degraded_reason()
        if not self._health.is_ready():
            await _send(send, 503, b'{"status":"not_ready"}')
        elif reason is not None:
            await _send(send, 200, msgspec.json.encode({"status": "degraded", "reason": reason}))
        else:
            await _send(send, 200, b'{"status":"ready"}')

    def _models(self) -> bytes:
        pool = self._gateway.chooser.rulebook.pool
        rows = [{"id": "auto", "object": "model", "created": 0, "owned_by": "trimtab"}]
        rows += [{"id": c.name, "object": "model", "created": 0, "owned_by": c.provider} for c in pool]
        rows += [{"id": a, "object": "model", "created": 0, "owned_by": "trimtab"} for a in pool.aliases]
        return msgspec.json.encode({"object": "list", "data": rows})

    async def _take_feedback(self, caller: Caller, body: bytes, send: Send) -> None:
        require_scope(caller, "feedback")
        try:
            parsed = msgspec.json.decode(body, type=FeedbackBody)
        except (msgspec.DecodeError, RecursionError) as exc:
            raise InvalidRequest(
                f"The feedback cannot be read: {exc}.", hint="Fields: call_id, score, comment."
            ) from exc
        if not 0 <= parsed.score <= 1:
            raise InvalidRequest(f"score is {parsed.score}; it must lie in 0 to 1.", param="score")
        feedback = Feedback(
            call_id=parsed.call_id,
            at_us=self._clock.now_us(),
            source=parsed.source,
            key_id=caller.key_id,
            score_fraction=parsed.score,
            comment=None if parsed.comment is None else redact(parsed.comment),
        )
        if not await asyncio.to_thread(self._feedback.add, feedback, caller.app):
            raise NotFound(f"There is no call {parsed.call_id!r} of this app.", param="call_id")
        await _send(send, 202, b'{"status":"accepted"}')


class _ClientGone(Exception):
    """The client closed its connection; there is nobody to answer."""


class _AsgiReply:
    """A reply over ASGI's ``send``, or straight to the connection for an answer in one piece."""

    __slots__ = ("_ends_by_closing", "_scope", "_send", "is_started")

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._ends_by_closing = False
        self.is_started = False

    @property
    def _connection(self) -> GuardedProtocol:
        connection: GuardedProtocol = self._scope["extensions"][CONNECTION]
        return connection

    async def whole(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        self.is_started = True
        if not await self._connection.respond(self._scope, status, headers, body):
            await self.start(status, headers)
            await self.send(body, more=False)

    async def start(self, status: int, headers: Sequence[Header]) -> None:
        self.is_started = True
        if self._scope["http_version"] == "1.0" and not any(name == b"content-length" for name, _ in headers):
            self._ends_by_closing = self._connection.frame_by_closing(self._scope)
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send(self, chunk: bytes, *, more: bool) -> None:
        if self._ends_by_closing:
            self._connection.expect(len(chunk))
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})

    def status_of(self, error: TrimtabError) -> int:
        return status_of(error)


def _known(raw: Sequence[Header]) -> dict[str, str]:
    known = {}
    for name, value in raw:
        wanted = KNOWN_HEADERS.get(name)
        if wanted is not None:
            known[wanted] = value.decode("latin-1")
    return known


def _too_large(size: str, limit: int) -> RequestTooLarge:
    return RequestTooLarge(
        f"The body has {size} bytes; the limit is {limit}.", hint="Raise `limits.max_body_bytes` if that is intended."
    )


async def _send(send: Send, status: int, body: bytes, content_type: Header = _JSON, *extra: Header) -> None:
    headers = [content_type, (b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _send_error(send: Send, error: TrimtabError, api: Api | None) -> None:
    extra: list[Header] = []
    if error.call_id is not None:
        extra.append((b"x-trimtab-call-id", error.call_id.encode()))
    if isinstance(error, RateLimited) and error.retry_after_s is not None:
        extra.append((b"retry-after", str(max(1, round(error.retry_after_s))).encode()))
    await _send(send, status_of(error), body_of(error, api or Api.CHAT_COMPLETIONS), _JSON, *extra)
