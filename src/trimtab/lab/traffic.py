"""Sends requests to a gateway over HTTP, as a few applications at once would, and keeps the answers."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from trimtab.core import to_nano_usd
from trimtab.core.errors import UpstreamError

N_CLIENTS = 4
TIMEOUT_S = 30.0
STREAM_EVERY = 4
"""One call in so many asks for a stream."""
MAX_TRIES = 3
"""Of one request, as the SDKs do it: what was cut, or failed on the server's side, is asked again."""
RETRY_S = 0.5
CHAT_PATH = "/v1/chat/completions"
_FEEDBACK_PATH = "/v1/feedback"
_END = b"data: [DONE]\n\n"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a traffic file."""

    prompt_id: str
    workload: str
    app: str
    sensitivity: str
    messages: list[dict[str, str]]
    options: dict[str, float] = {}
    """Further fields of the body, such as ``temperature``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a client learned from one call."""

    prompt_id: str
    workload: str
    """As the gateway recognised it."""
    call_id: str
    model: str
    """``provider:model``."""
    is_stream: bool
    text: str
    input_tokens: int | None
    output_tokens: int | None
    cost_nano_usd: int | None
    """From the answer's header; ``None`` on a stream, whose head leaves before its cost is known."""


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What an application thinks of an answer."""

    call_id: str
    app: str
    score: float
    """0 to 1."""


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """The text of an answer, and its tokens where they were reported."""

    text: str
    input_tokens: int | None
    output_tokens: int | None


def read_traffic(path: Path) -> list[Request]:
    """Return the requests in the order to send."""
    return [msgspec.json.decode(line, type=Request) for line in path.read_bytes().splitlines()]


def send_all(
    url: str, requests: Sequence[Request], *, progress: Callable[[int], None] = lambda n_done: None
) -> list[Answer]:
    """Send every request over several connections at a time, and return the answers in the same order.

    Every fourth asks for a stream. Of three calls one names its workload in a header, one in ``model``, one nowhere.

    Args:
        url: The gateway's data plane.
        requests: What to send.
        progress: Told the number of answers so far.

    Raises:
        UpstreamError: an answer is no success or no whole answer, after a few tries.
        OSError: the gateway cannot be reached.
    """
    answers: list[Answer] = []
    with closing(_Connections(url)) as connections, ThreadPoolExecutor(N_CLIENTS) as threads:

        def send(request: Request, place: int) -> Answer:
            return _persistent(connections, request, place)

        for answer in threads.map(send, requests, count()):
            answers.append(answer)
            progress(len(answers))
    return answers


def send_feedback(
    url: str,
    judgements: Sequence[Judgement],
    *,
    source: str,
    progress: Callable[[int], None] = lambda n_done: None,
) -> None:
    """Tell a gateway what its answers were worth.

    Args:
        url: The gateway's data plane.
        judgements: One a call that is on record.
        source: Who judged.
        progress: Told the number sent so far.

    Raises:
        UpstreamError: the gateway did not take one.
        OSError: the gateway cannot be reached.
    """
    with closing(_Connections(url)) as connections, ThreadPoolExecutor(N_CLIENTS) as threads:

        def tell(judgement: Judgement) -> None:
            body = {"call_id": judgement.call_id, "score": judgement.score, "source": source}
            headers = {"content-type": "application/json", "x-trimtab-app": judgement.app}
            response, said = connections.post(_FEEDBACK_PATH, msgspec.json.encode(body), headers)
            if response.status != 202:
                raise _failure(f"the score of call {judgement.call_id}", response.status, said)

        for n_done, _ in enumerate(threads.map(tell, judgements), start=1):
            progress(n_done)


def read_completion(body: bytes, *, is_stream: bool) -> Completion:
    """Return what an answer of OpenAI's form says.

    >>> read_completion(b'{"choices": [{"message": {"content": "7"}}]}', is_stream=False).text
    '7'
    """
    choices = list(_choices(body, is_stream=is_stream))
    text = "".join((part.delta or part.message or _Said()).content or "" for chunk in choices for part in chunk.choices)
    usage = next((chunk.usage for chunk in reversed(choices) if chunk.usage is not None), _Tokens())
    return Completion(text=text, input_tokens=usage.prompt_tokens, output_tokens=usage.completion_tokens)


class _Said(msgspec.Struct):
    content: str | None = None


class _Part(msgspec.Struct):
    message: _Said | None = None
    delta: _Said | None = None


class _Tokens(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Part] = []
    usage: _Tokens | None = None


def _choices(body: bytes, *, is_stream: bool) -> Iterator[_Chunk]:
    if not is_stream:
        yield msgspec.json.decode(body, type=_Chunk)
        return
    for line in body.splitlines():
        if line.startswith(b"data: ") and line != b"data: [DONE]":
            yield msgspec.json.decode(line.removeprefix(b"data: "), type=_Chunk)


class _Connections:
    """A connection for each thread that sends."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._mine = threading.local()
        self._all: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        for connection in self._all:
            connection.close()

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[http.client.HTTPResponse, bytes]:
        """Send one request and return the answer with its body.

        Raises:
            UpstreamError: the answer was cut.
        """
        connection = self._connection()
        try:
            connection.request("POST", path, body, dict(headers))
            response = connection.getresponse()
            return response, response.read()
        except http.client.HTTPException as exc:
            connection.close()  # what is left of that answer is not the next one
            raise UpstreamError(f"The gateway's answer was cut: {exc!r}.") from exc

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._mine, "connection", None)
        if connection is None:
            host, port = self._address.hostname or "", self._address.port
            connection = self._mine.connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
            self._all.append(connection)
        return connection


def _persistent(connections: _Connections, request: Request, place: int) -> Answer:
    for tries_left in reversed(range(MAX_TRIES)):
        try:
            return _sent(connections, request, place)
        except UpstreamError as exc:
            is_final = exc.status is not None and 400 <= exc.status < 500 and exc.status != 429
            if is_final or not tries_left:
                raise
            time.sleep(RETRY_S)
    raise AssertionError("the last try returns or raises")


def _sent(connections: _Connections, request: Request, place: int) -> Answer:
    body, headers = _wire(request, place)
    response, said = connections.post(CHAT_PATH, body, headers)
    return _answer(request, response, said, is_stream=place % STREAM_EVERY == 0)


def _wire(request: Request, place: int) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of the request at a place in the traffic."""
    headers = {
        "content-type": "application/json",
        "x-trimtab-app": request.app,
        "x-trimtab-sensitivity": request.sensitivity,
        "x-trimtab-prompt-id": request.prompt_id,
    }
    model = "auto"
    if place % 3 == 0:
        headers["x-trimtab-workload"] = request.workload
    elif place % 3 == 1:
        model = f"workload/{request.workload}"
    body: dict[str, object] = {"model": model, "messages": request.messages, **request.options}
    if place % STREAM_EVERY == 0:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return msgspec.json.encode(body), headers


def _answer(request: Request, response: http.client.HTTPResponse, body: bytes, *, is_stream: bool) -> Answer:
    if response.status != 200 or (is_stream and not body.endswith(_END)):
        raise _failure(request.prompt_id, response.status, body)
    cost = response.getheader("x-trimtab-cost-usd")
    said = read_completion(body, is_stream=is_stream)
    return Answer(
        prompt_id=request.prompt_id,
        workload=response.getheader("x-trimtab-workload", ""),
        call_id=response.getheader("x-trimtab-call-id", ""),
        model=response.getheader("x-trimtab-model", ""),
        is_stream=is_stream,
        text=said.text,
        input_tokens=said.input_tokens,
        output_tokens=said.output_tokens,
        cost_nano_usd=None if cost is None else to_nano_usd(Decimal(cost)),
    )


def _failure(what: str, status: int, body: bytes) -> UpstreamError:
    said = body[-300:].decode("utf-8", "replace")
    return UpstreamError(f"{what} was answered {status}: {said}", status=None if status == 200 else status)
