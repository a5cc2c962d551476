"""``python -m trimtab.serving.gguf.logprob_host``: llama.cpp's server for measuring, in a process of its own.

Unlike the one that serves, it keeps keys and values in 32 bits and attends without flash attention, so that what is
measured is the file. It reads one JSON line (:class:`LogprobSpec`), answers with one (:class:`LogprobAnswer`), and ends
when its input does.
"""

import os
import sys

import msgspec

EXIT_REFUSED = 3


class LogprobSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to load."""

    path: str
    api_key: str
    context_tokens: int
    adapter: str | None = None
    threads: int | None = None


class LogprobAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where it answers, or why not."""

    address: str = ""
    problem: str = ""


def main() -> int:
    """Answer until standard input ends."""
    spec = msgspec.json.decode(sys.stdin.buffer.readline(), type=LogprobSpec)
    try:
        import xllamacpp

        server = xllamacpp.Server(_params(spec))
    except (ImportError, RuntimeError, ValueError, MemoryError, OSError) as exc:
        _say(LogprobAnswer(problem=str(exc) or type(exc).__name__))
        return EXIT_REFUSED
    _say(LogprobAnswer(address=server.listening_address))
    while os.read(0, 4096):
        pass
    del server
    return 0


def _params(spec: LogprobSpec) -> "object":
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = spec.path
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [spec.api_key]
    params.n_parallel = 1
    params.n_ctx = spec.context_tokens
    params.n_gpu_layers = 0
    params.ui = params.endpoint_slots = params.warmup = False
    params.verbosity = 1
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    if spec.threads is not None:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = spec.threads
    if spec.adapter is not None:
        adapter = xllamacpp.CommonAdapterLoraInfo()
        adapter.path, adapter.scale = spec.adapter, 1.0
        params.lora_adapters = [adapter]
    return params


def _say(answer: LogprobAnswer) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    raise SystemExit(main())
