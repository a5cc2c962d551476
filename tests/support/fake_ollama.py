"""A stand-in for Ollama: its documented protocol (docs.ollama.com/api, version 0.12.6) over real HTTP, in a thread.

What it proves is our side of that protocol; the same suite runs on the real one where ``ollama`` is on the PATH.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, ClassVar, Self

from tests.support.fake_model_server import FakeHandler, FakeModelServer

VERSION = "0.12.6"
SIZE_BYTES = 522_653_767
DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "qwen3",
    "families": ["qwen3"],
    "parameter_size": "751.63M",
    "quantization_level": "Q4_K_M",
}


class FakeOllama(FakeModelServer):
    """``with FakeOllama("qwen3:0.6b") as fake: fake.base_url``.

    Args:
        models: Names that it has, with their tags.
        library: Names that it can pull.
        shows: Replaces fields of ``/api/show``; ``None`` leaves one out.
        port: Of loopback; 0 finds one.
    """

    def __init__(
        self, *models: str, library: tuple[str, ...] = (), shows: dict[str, Any] | None = None, port: int = 0
    ) -> None:
        super().__init__(_Handler, port=port)
        self.pull_gap_s = 0.0
        """Between two lines about a download."""
        self.n_pull_lines: int | None = None
        """After that many the connection ends."""
        self.local = list(models)
        self.library = library
        self.shows = shows or {}
        self.held: dict[str, Any] = {}
        """Models in memory, and the ``keep_alive`` that each was given."""
        self.generated: list[dict[str, Any]] = []
        """Bodies of ``/api/generate``."""
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join(10)
        self.server_close()


class _Handler(FakeHandler):
    server: FakeOllama

    def tags(self) -> None:
        self.say({"models": [_row(name) for name in self.server.local]})

    def running(self) -> None:
        rows = [_row(name) | {"size_vram": SIZE_BYTES, "context_length": 4096} for name in self.server.held]
        self.say({"models": rows})

    def show(self) -> None:
        if (name := self.known(self.body().get("model"))) is not None:
            shown = {
                "parameters": "temperature                    0.6",
                "template": "{{ .Prompt }}",
                "details": DETAILS,
                "model_info": {
                    "general.architecture": "qwen3",
                    "general.parameter_count": 751_632_384,
                    "qwen3.context_length": 40_960,
                },
                "capabilities": ["completion", "tools", "thinking"],
            } | self.server.shows
            assert name
            self.say({key: value for key, value in shown.items() if value is not None})

    def generate(self) -> None:
        body = self.body()
        self.server.generated.append(body)
        if (name := self.known(body.get("model"))) is not None:
            self.server.held[name] = body.get("keep_alive", "5m")
            self.say({"model": name, "response": "", "done": True, "done_reason": "load"})

    def pull(self) -> None:
        name = _full(self.body().get("model"))
        self.say_lines(islice(self.pulled(name), self.server.n_pull_lines), "application/x-ndjson")

    def pulled(self, name: str) -> Iterator[bytes]:
        def line(**fields: Any) -> bytes:
            return json.dumps(fields).encode() + b"\n"

        yield line(status="pulling manifest")
        if name not in self.server.library:
            yield line(error="pull model manifest: file does not exist")
            return
        for completed in range(0, SIZE_BYTES, SIZE_BYTES // 4):
            time.sleep(self.server.pull_gap_s)
            yield line(status="pulling 7f4030143c1c", digest="sha256:7f40", total=SIZE_BYTES, completed=completed)
        yield line(status="verifying sha256 digest")
        yield line(status="writing manifest")
        self.server.local.append(name)
        yield line(status="success")

    def models(self) -> None:
        self.say({"object": "list", "data": [{"id": name, "owned_by": "library"} for name in self.server.local]})

    def chat_completions(self) -> None:
        request = self.body()
        name = _full(request.get("model"))
        if name not in self.server.local:
            message = f"model {request.get('model')!r} not found"
            self.say({"error": {"message": message, "type": "not_found_error", "param": None, "code": None}}, 404)
        else:
            self.server.held.setdefault(name, "5m")
            self.chat(request, str(request["model"]))

    def known(self, model: Any) -> str | None:
        """Return the full name; after answering 404 where there is no such model, ``None``."""
        name = _full(model)
        if name in self.server.local:
            return name
        self.say({"error": f"model '{model}' not found"}, 404)
        return None

    routes: ClassVar[Mapping[str, Callable[[Any], None]]] = {
        "GET /api/version": lambda self: self.say({"version": VERSION}),
        "GET /api/tags": tags,
        "GET /api/ps": running,
        "POST /api/show": show,
        "POST /api/generate": generate,
        "POST /api/pull": pull,
        "GET /v1/models": models,
        "POST /v1/chat/completions": chat_completions,
    }


def _row(name: str) -> dict[str, Any]:
    return {"name": name, "model": name, "size": SIZE_BYTES, "digest": "sha256:7f40", "details": DETAILS}


def _full(model: Any) -> str:
    return str(model) if ":" in str(model) else f"{model}:latest"
