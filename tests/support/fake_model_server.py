"""What the stand-ins for model servers share: real HTTP, OpenAI's chat form, answers computed from the request."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

GAP_S = 0.005
"""Between two words of a stream."""
DEFAULT_WORDS = 16


class FakeModelServer(ThreadingHTTPServer):
    """Serves on loopback; ``handler`` says which protocol. At most ``slots`` calls are worked on at a time."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, handler: "type[FakeHandler]", *, port: int = 0, slots: int = 4, api_key: str | None = None
    ) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self.api_key = api_key
        self.base_url = f"http://127.0.0.1:{self.server_port}/v1"
        self.n_running = self.n_waiting = self.input_tokens = self.output_tokens = 0
        self._slots = threading.Semaphore(slots)
        self._lock = threading.Lock()

    def count(self, **changes: int) -> None:
        with self._lock:
            for name, change in changes.items():
                setattr(self, name, getattr(self, name) + change)

    @contextmanager
    def slot(self) -> Iterator[None]:
        self.count(n_waiting=1)
        with self._slots:
            self.count(n_waiting=-1, n_running=1)
            try:
                yield
            finally:
                self.count(n_running=-1)

    def handle_error(self, *_: Any) -> None:
        """Say nothing of a client that went away."""


class FakeHandler(BaseHTTPRequestHandler):
    """One connection."""

    server: FakeModelServer
    routes: ClassVar[Mapping[str, Callable[[Any], None]]]
    """By method and path."""

    def do_GET(self) -> None:  # http.server's name
        self._route("GET")

    def do_POST(self) -> None:  # http.server's name
        self._route("POST")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")

    def say(self, answer: object, status: int = 200) -> None:
        raw = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain" if isinstance(answer, str) else "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def say_lines(self, lines: Iterator[bytes], content_type: str) -> None:
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.end_headers()
        for line in lines:
            self.wfile.write(line)
            self.wfile.flush()

    def chat(self, request: dict[str, Any], model: str) -> None:
        """Answer with the model's name and what was last said, over and over where ``ignore_eos`` is asked for."""
        said = " ".join(str(each["content"]) for each in request["messages"])
        heard = [model, "heard", *str(request["messages"][-1]["content"]).split()]
        n_most = int(request.get("max_tokens") or DEFAULT_WORDS)
        words = list(itertools.islice(itertools.cycle(heard), n_most)) if request.get("ignore_eos") else heard[:n_most]
        usage = {"prompt_tokens": len(said.split()), "completion_tokens": len(words)}
        usage["total_tokens"] = sum(usage.values())
        with self.server.slot():
            self.server.count(input_tokens=usage["prompt_tokens"], output_tokens=len(words))
            reason = "length" if len(words) == n_most else "stop"
            if request.get("stream"):
                has_usage = bool(request.get("stream_options", {}).get("include_usage"))
                self.say_lines(_stream(words, model, reason, usage if has_usage else None), "text/event-stream")
            else:
                message = {"role": "assistant", "content": " ".join(words)}
                choice = {"index": 0, "message": message, "finish_reason": reason}
                self.say({"id": "1", "object": "chat.completion", "model": model, "choices": [choice], "usage": usage})

    def _route(self, method: str) -> None:
        path = self.path.partition("?")[0]
        key = self.server.api_key
        if key is not None and path.startswith("/v1") and self.headers.get("authorization") != f"Bearer {key}":
            self.say({"error": "Unauthorized"}, 401)
            return
        route = self.routes.get(f"{method} {path}")
        if route is None:
            self.say({"detail": "Not Found"}, 404)
        else:
            route(self)


def _stream(words: list[str], model: str, reason: str, usage: dict[str, int] | None) -> Iterator[bytes]:
    def event(choices: list[dict[str, Any]], **more: Any) -> bytes:
        row = {"id": "1", "object": "chat.completion.chunk", "model": model, "choices": choices, **more}
        return b"data: " + json.dumps(row).encode() + b"\n\n"

    for number, word in enumerate(words):
        text = word if number == 0 else f" {word}"
        yield event([{"index": 0, "delta": {"content": text}, "finish_reason": None}])
        time.sleep(GAP_S)
    yield event([{"index": 0, "delta": {}, "finish_reason": reason}])
    if usage is not None:
        yield event([], usage=usage)
    yield b"data: [DONE]\n\n"
