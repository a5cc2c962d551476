"""``python -m trimtab.serving.llama_cpp_host``: llama.cpp's own server in a process of ours.

It reads one JSON line from standard input (:class:`HostSpec`), answers with one (:class:`HostAnswer`), and ends when
its input ends. In a process of its own because a fault in native code ends a process, and that must not be the
gateway's.
"""

import os
import sys
from typing import BinaryIO

import msgspec

EXIT_REFUSED = 3
"""The model or the address cannot be used; the answer says why."""

_STACK_BYTES = 8 * 1024 * 1024
"""Of a thread where the system sets no limit: what glibc takes is less."""
_OTHER_THREADS = 8


class HostAdapter(msgspec.Struct, frozen=True):
    """A LoRA adapter, loaded and not applied until a request asks for it."""

    name: str
    path: str


class HostSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to serve, and where."""

    path: str
    name: str
    port: int
    api_key: str
    slots: int
    context_tokens: int | None
    """Of one call; the cache holds that times ``slots``."""
    threads: int | None
    gpu_layers: int | None
    embeddings: bool
    adapters: list[HostAdapter]
    http_threads: int
    max_memory_mb: int | None


class HostAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where it answers, or why not."""

    address: str = ""
    problem: str = ""


def main() -> int:
    """Serve until standard input ends; return only when there is nothing to serve."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what native code prints goes to the log, and never between us and whoever waits for our line
    spec = msgspec.json.decode(sys.stdin.buffer.readline(), type=HostSpec)
    _limit_memory(spec)
    try:
        import xllamacpp
    except ImportError as exc:
        return _refuse(answers, f"the package xllamacpp cannot be loaded: {exc}")
    try:
        server = xllamacpp.Server(_params(spec))
    except (RuntimeError, ValueError, MemoryError, OSError) as exc:
        return _refuse(answers, str(exc) or type(exc).__name__)
    _say(answers, HostAnswer(address=server.listening_address))
    while os.read(0, 4096):  # whoever holds the other end is gone when this ends
        pass
    os._exit(0)  # llama.cpp's own end waits for clients that still read, for as long as they like


def _params(spec: HostSpec) -> "object":
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = spec.path
    params.model_alias = {spec.name}
    params.hostnames = ["127.0.0.1"]
    params.port = spec.port
    params.api_keys = [spec.api_key]
    params.n_parallel = spec.slots
    params.n_ctx = 0 if spec.context_tokens is None else spec.context_tokens * spec.slots
    params.n_threads_http = spec.http_threads
    params.endpoint_metrics = True
    params.endpoint_slots = False  # it would show what callers wrote
    params.ui = False
    params.verbosity = 2
    params.embedding = spec.embeddings
    params.use_jinja = True
    if spec.threads is not None:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = spec.threads
    if spec.gpu_layers is not None:
        params.n_gpu_layers = spec.gpu_layers
    if spec.adapters:
        params.lora_adapters = [_lora(adapter) for adapter in spec.adapters]
        params.lora_init_without_apply = True
        # llama.cpp finds a prompt's cache by its tokens alone, whichever adapter filled it (its issue 26207).
        params.cache_prompt = False
        params.cache_ram_mib = 0
    return params


def _lora(adapter: HostAdapter) -> "object":
    import xllamacpp

    info = xllamacpp.CommonAdapterLoraInfo()
    info.path, info.scale = adapter.path, 1.0
    return info


def _limit_memory(spec: HostSpec) -> None:
    """Limit what is allocated; neither mapped weights count nor the stacks of threads, which are hardly touched."""
    if spec.max_memory_mb is not None and sys.platform == "linux":
        import resource

        stack_bytes = resource.getrlimit(resource.RLIMIT_STACK)[0]
        if stack_bytes == resource.RLIM_INFINITY:
            stack_bytes = _STACK_BYTES
        n_threads = spec.http_threads + (spec.threads or os.cpu_count() or 1) + _OTHER_THREADS
        limit = spec.max_memory_mb * 1024 * 1024 + n_threads * stack_bytes
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _refuse(answers: BinaryIO, problem: str) -> int:
    _say(answers, HostAnswer(problem=problem))
    return EXIT_REFUSED


def _say(answers: BinaryIO, answer: HostAnswer) -> None:
    with answers:
        answers.write(msgspec.json.encode(answer) + b"\n")


if __name__ == "__main__":
    raise SystemExit(main())
