"""A stand-in for vLLM's program, which needs hardware that neither CI nor most desks have.

It is a process of its own with the arguments, addresses, status codes and metrics of vLLM's documentation
(docs.vllm.ai: "vllm serve", "LoRA Adapters", "Production Metrics"); its answers are computed from the request. What it
proves is our side: the command, the life cycle, the key, the adapters' coming and going. It does not prove that vLLM
behaves as it is documented; where ``vllm`` is on the PATH, a test asks it whether it knows our arguments.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from tests.support.fake_model_server import FakeHandler, FakeModelServer

ROOT = Path(__file__).parents[2]
COMMAND = (
    sys.executable,
    "-c",
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); import tests.support.fake_vllm as f; f.main()",
)


class FakeVllm(FakeModelServer):
    def __init__(self, arguments: argparse.Namespace) -> None:
        super().__init__(
            _Handler, port=arguments.port, slots=arguments.max_num_seqs, api_key=os.environ.get("VLLM_API_KEY")
        )
        self.arguments = arguments
        self.adapters: dict[str, str] = {}
        for row in arguments.lora_modules:
            adapter = json.loads(row)
            status, said = self.load(adapter["name"], adapter["path"])
            if status != 200:
                raise SystemExit(f"ValueError: {said}")

    @property
    def may_update(self) -> bool:
        allowed = os.environ.get("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "").lower() in {"1", "true"}
        return allowed and bool(self.arguments.enable_lora)

    def load(self, name: str, path: str) -> tuple[int, str]:
        if not name or not path:
            return 400, "Both 'lora_name' and 'lora_path' must be provided."
        if name in self.adapters:
            return 400, f"The lora adapter '{name}' has already been loaded."
        description = Path(path) / "adapter_config.json"
        if not description.exists():
            return 404, f"Loading lora {name} failed: No adapter found for {path}"
        rank, most = json.loads(description.read_bytes())["r"], self.arguments.max_lora_rank
        if rank > most:
            return 400, f"LoRA rank {rank} is greater than max_lora_rank {most}."
        self.adapters[name] = path
        return 200, f"Success: LoRA adapter '{name}' added successfully."


class _Handler(FakeHandler):
    server: FakeVllm

    def models(self) -> None:
        arguments = self.server.arguments
        base = arguments.served_model_name[0]
        length = arguments.max_model_len or 2048
        rows: list[dict[str, Any]] = [
            {"id": base, "object": "model", "owned_by": "vllm", "root": arguments.model_tag, "max_model_len": length}
        ]
        for name, path in self.server.adapters.items():
            rows.append({"id": name, "object": "model", "owned_by": "vllm", "root": path, "parent": base})
        self.say({"object": "list", "data": rows})

    def chat_completions(self) -> None:
        request = self.body()
        model = request.get("model")
        if model not in {*self.server.arguments.served_model_name, *self.server.adapters}:
            self.error(404, f"The model `{model}` does not exist.", "NotFoundError")
        else:
            self.chat(request, model)

    def metrics(self) -> None:
        labels = f'{{engine="0",model_name="{self.server.arguments.served_model_name[0]}"}}'
        figures = {
            "num_requests_running": self.server.n_running,
            "num_requests_waiting": self.server.n_waiting,
            "prompt_tokens_total": self.server.input_tokens,
            "generation_tokens_total": self.server.output_tokens,
        }
        self.say("".join(f"vllm:{name}{labels} {float(value)}\n" for name, value in figures.items()))

    def load_adapter(self) -> None:
        body = self.body()
        if not self.server.may_update:
            self.say({"detail": "Not Found"}, 404)
            return
        status, said = self.server.load(body.get("lora_name", ""), body.get("lora_path", ""))
        if status == 200:
            self.say(said)
        else:
            self.error(status, said, "NotFoundError" if status == 404 else "BadRequestError")

    def unload_adapter(self) -> None:
        name = self.body().get("lora_name")
        if not self.server.may_update:
            self.say({"detail": "Not Found"}, 404)
        elif self.server.adapters.pop(name, None) is None:
            self.error(404, f"The lora adapter '{name}' cannot be found.", "NotFoundError")
        else:
            self.say(f"Success: LoRA adapter '{name}' removed successfully.")

    def error(self, status: int, message: str, kind: str) -> None:
        self.say({"error": {"message": message, "type": kind, "param": None, "code": status}}, status)

    routes: ClassVar[Mapping[str, Callable[[Any], None]]] = {
        "GET /health": lambda self: self.say(""),
        "GET /version": lambda self: self.say({"version": "0.11.0"}),
        "GET /metrics": metrics,
        "GET /v1/models": models,
        "POST /v1/chat/completions": chat_completions,
        "POST /v1/load_lora_adapter": load_adapter,
        "POST /v1/unload_lora_adapter": unload_adapter,
    }


def main() -> None:
    """Serve until ended, as ``vllm serve`` does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model_tag")
    parser.add_argument("--host", choices=["127.0.0.1"], required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--served-model-name", nargs="+", required=True)
    parser.add_argument("--max-model-len", type=int)
    parser.add_argument("--max-num-seqs", type=int, default=256)
    parser.add_argument("--enable-lora", action="store_true")
    parser.add_argument("--max-loras", type=int, default=1)
    parser.add_argument("--max-lora-rank", type=int, default=16, choices=[1, 8, 16, 32, 64, 128, 256, 320, 512])
    parser.add_argument("--lora-modules", nargs="+", default=[])
    parser.add_argument("--uvicorn-log-level", default="info", choices=["debug", "info", "warning", "error"])
    FakeVllm(parser.parse_args()).serve_forever()
