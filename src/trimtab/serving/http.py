"""The little HTTP that watching an engine takes: small requests to a known address, in a thread, within a limit."""

import asyncio
import contextlib
import http.client
import json
import math
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from trimtab.core.errors import EngineError
from trimtab.serving.engine import Endpoint

T = TypeVar("T")

MAX_ANSWER_BYTES = 4 * 1024 * 1024
_SAMPLE = re.compile(r"([A-Za-z_:][\w:]*)(?:\{.*\})?[ \t]+(\S+)(?:[ \t]+-?\d+)?[ \t]*")


class NoAnswer(EngineError):
    """Nothing usable came back; ``status`` is the answer's where there was one."""

    def __init__(self, message: str, *, status: int | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


# No proxy of the environment: an engine is on this machine or in this network, and its key stays there.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())


async def ask(
    endpoint: Endpoint,
    path: str,
    body: Mapping[str, object] | None = None,
    *,
    timeout_s: float = 5.0,
    method: str | None = None,
) -> bytes:
    """Send one request and return the whole answer.

    Args:
        endpoint: Whose key is sent.
        path: Appended to the endpoint's address *without* its ``/v1`` when it begins with ``/``, else below it.
        body: Sent as JSON by POST; ``None`` asks by GET.
        timeout_s: For connecting, and for each silence.
        method: Another one than those.

    Raises:
        NoAnswer: no connection, no answer in time, an error status, or more than ``MAX_ANSWER_BYTES``.
    """
    request = _request(endpoint, path, body, method)

    def read() -> bytes:
        with _opener.open(request, timeout=timeout_s) as answer:
            raw: bytes = answer.read(MAX_ANSWER_BYTES + 1)
            if answer.length and len(raw) <= MAX_ANSWER_BYTES:  # reading a limited amount does not notice that itself
                raise http.client.IncompleteRead(raw, answer.length)
        return raw

    raw = await in_thread(lambda: _answer(endpoint, request, read))
    if len(raw) > MAX_ANSWER_BYTES:
        raise NoAnswer(f"{endpoint.label}: {request.full_url} answered with more than {MAX_ANSWER_BYTES} bytes.")
    return raw


async def ask_json(
    endpoint: Endpoint, path: str, body: Mapping[str, object] | None = None, *, timeout_s: float = 5.0
) -> Any:
    """Do as :func:`ask` does and read the answer as JSON.

    Raises:
        NoAnswer: as for :func:`ask`, or the answer is no JSON.
    """
    raw = await ask(endpoint, path, body, timeout_s=timeout_s)
    try:
        return json.loads(raw)
    except ValueError as exc:
        raise NoAnswer(f"{endpoint.label}: {url_of(endpoint, path)} answered with something that is not JSON.") from exc


async def ask_lines(
    endpoint: Endpoint, path: str, body: Mapping[str, object], on_line: Callable[[bytes], None], *, silence_s: float
) -> None:
    """Send one request by POST and hand over each line of its answer as it arrives, however long that goes on.

    Args:
        endpoint: Whose key is sent.
        path: As for :func:`ask`.
        body: Sent as JSON.
        on_line: Called in the event loop, in order.
        silence_s: For connecting, and for each silence.

    Raises:
        NoAnswer: no connection, a silence, or an error status.
    """
    request = _request(endpoint, path, body, None)
    loop, given_up = asyncio.get_running_loop(), threading.Event()

    def read() -> None:
        with _opener.open(request, timeout=silence_s) as answer:
            while not given_up.is_set() and (line := answer.readline(MAX_ANSWER_BYTES)):
                loop.call_soon_threadsafe(on_line, line)

    try:
        await in_thread(lambda: _answer(endpoint, request, read))
    finally:
        given_up.set()


def url_of(endpoint: Endpoint, path: str) -> str:
    """Return the address of a path; see :func:`ask`."""
    base = endpoint.base_url.rstrip("/")
    return base.removesuffix("/v1") + path if path.startswith("/") else f"{base}/{path}"


def prometheus_values(text: str) -> dict[str, float]:
    r"""Return the samples of a Prometheus page, by name.

    Samples with labels are added up, those that are no finite number left out.

    Example:
        >>> prometheus_values('# TYPE calls counter\ncalls{model="a b"} 2\ncalls{model="c"} 3 1700000000\nrate NaN')
        {'calls': 5.0}
    """
    values: dict[str, float] = {}
    for line in text.splitlines():
        sample = _SAMPLE.fullmatch(line)
        if sample is None:
            continue  # a comment, or a line of a later format: one figure less
        try:
            value = float(sample[2])
        except ValueError:
            continue
        if math.isfinite(value):
            values[sample[1]] = values.get(sample[1], 0.0) + value
    return values


def _request(
    endpoint: Endpoint, path: str, body: Mapping[str, object] | None, method: str | None
) -> urllib.request.Request:
    headers = {"content-type": "application/json"}
    if endpoint.api_key is not None:
        headers["authorization"] = f"Bearer {endpoint.api_key}"
    sent = None if body is None else json.dumps(body).encode()
    return urllib.request.Request(url_of(endpoint, path), data=sent, headers=headers, method=method)


def _answer(endpoint: Endpoint, request: urllib.request.Request, read: Callable[[], T]) -> T:
    """Read; whatever fails on the way becomes :class:`NoAnswer`."""
    where = f"{endpoint.label}: {request.full_url}"
    try:
        return read()
    except urllib.error.HTTPError as exc:
        said = ""
        with exc, contextlib.suppress(OSError, http.client.HTTPException):
            said = exc.read(400).decode("utf-8", "replace")
        raise NoAnswer(f"{where} answered {exc.code}: {said}", status=exc.code) from exc
    except (OSError, http.client.HTTPException) as exc:
        raise NoAnswer(
            f"{where} cannot be asked: {getattr(exc, 'reason', None) or exc or type(exc).__name__}."
        ) from exc


async def in_thread(work: Callable[[], T]) -> T:
    """Run ``work`` in a thread of its own and return what it returns, or raise what it raises.

    Not one of asyncio's pool: those are waited for when the loop ends, and a silent engine would hold the service up.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # without an error there is a result

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except Exception as exc:  # the thread's boundary: raised again where it was asked for
            error = exc
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it whoever asked
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="trimtab-engine-http", daemon=True).start()
    return await done
