"""Sends the demo's requests to a gateway over HTTP, as a few applications at once would, and keeps the answers."""

import http.client
import threading
from collections.abc import Callable, Sequence
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
_PATH = "/v1/chat/completions"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the traffic file."""

    prompt_id: str
    workload: str
    app: str
    sensitivity: str
    messages: list[dict[str, str]]


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
    cost_nano_usd: int | None
    """From the answer's header; ``None`` on a stream, whose head leaves before its cost is known."""


def read_traffic(path: Path) -> list[Request]:
    """Return the requests in the order to send."""
    return [msgspec.json.decode(line, type=Request) for line in path.read_bytes().splitlines()]


def send_all(
    url: str, requests: Sequence[Request], *, progress: Callable[[int], None] = lambda n_done: None
) -> list[Answer]:
    """Send every request once, over several connections at a time, and return the answers in the same order.

    Every fourth asks for a stream. Of three calls one names its workload in a header, one in ``model``, one nowhere.

    Args:
        url: The gateway's data plane.
        requests: What to send.
        progress: Told the number of answers so far.

    Raises:
        UpstreamError: an answer is no success or no whole answer.
        OSError: the gateway cannot be reached.
    """
    answers: list[Answer] = []
    with closing(_Clients(url)) as clients, ThreadPoolExecutor(N_CLIENTS) as threads:
        for answer in threads.map(clients.send, requests, count()):
            answers.append(answer)
            progress(len(answers))
    return answers


class _Clients:
    """A connection for each thread that sends."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._mine = threading.local()
        self._all: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        for connection in self._all:
            connection.close()

    def send(self, request: Request, place: int) -> Answer:
        """Send the request that stands at a place in the traffic."""
        body, headers = _wire(request, place)
        connection = self._connection()
        try:
            connection.request("POST", _PATH, body, headers)
            response = connection.getresponse()
            return _answer(request, response, response.read(), is_stream=place % STREAM_EVERY == 0)
        except http.client.HTTPException as exc:
            raise UpstreamError(f"The gateway's answer to {request.prompt_id} was cut: {exc!r}.") from exc

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._mine, "connection", None)
        if connection is None:
            host, port = self._address.hostname or "", self._address.port
            connection = self._mine.connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
            self._all.append(connection)
        return connection


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
    body: dict[str, object] = {"model": model, "messages": request.messages}
    if place % STREAM_EVERY == 0:
        body["stream"] = True
    return msgspec.json.encode(body), headers


def _answer(request: Request, response: http.client.HTTPResponse, body: bytes, *, is_stream: bool) -> Answer:
    if response.status != 200 or (is_stream and not body.endswith(b"data: [DONE]\n\n")):
        said = body[:300].decode("utf-8", "replace")
        raise UpstreamError(f"{request.prompt_id} was answered {response.status}: {said}", status=response.status)
    cost = response.getheader("x-trimtab-cost-usd")
    return Answer(
        prompt_id=request.prompt_id,
        workload=response.getheader("x-trimtab-workload", ""),
        call_id=response.getheader("x-trimtab-call-id", ""),
        model=response.getheader("x-trimtab-model", ""),
        is_stream=is_stream,
        cost_nano_usd=None if cost is None else to_nano_usd(Decimal(cost)),
    )
