"""How busy a model server is, from the Prometheus page that it offers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from trimtab.core.errors import EngineError
from trimtab.serving.engine import Endpoint, EngineLoad
from trimtab.serving.http import NoAnswer, ask, prometheus_values

_DRAIN_POLL_S = 0.05


class _Names(NamedTuple):
    """What one kind of server calls its figures; the first of several must be there, all are added up."""

    running: str
    waiting: str
    input_tokens: tuple[str, ...]
    output_tokens: str


_KNOWN = (
    # llama.cpp, tools/server/README.md; its first figure leaves out what came from the cache.
    _Names(
        "llamacpp:requests_processing",
        "llamacpp:requests_deferred",
        ("llamacpp:prompt_tokens_total", "llamacpp:prompt_tokens_cached_total"),
        "llamacpp:tokens_predicted_total",
    ),
    # docs.vllm.ai, "Production metrics"
    _Names(
        "vllm:num_requests_running",
        "vllm:num_requests_waiting",
        ("vllm:prompt_tokens_total",),
        "vllm:generation_tokens_total",
    ),
    # docs.sglang.io, "Production metrics"; there with --enable-metrics only
    _Names(
        "sglang:num_running_reqs",
        "sglang:num_queue_reqs",
        ("sglang:prompt_tokens_total",),
        "sglang:generation_tokens_total",
    ),
    # huggingface.co/docs/text-generation-inference, "Metrics"
    _Names(
        "tgi_batch_current_size",
        "tgi_queue_size",
        ("tgi_request_input_length_sum",),
        "tgi_request_generated_tokens_sum",
    ),
)


async def read_load(endpoint: Endpoint, *, memory_bytes: int | None = None) -> EngineLoad:
    """Ask a server's ``/metrics``.

    Args:
        endpoint: Of the server.
        memory_bytes: Passed through.

    Returns:
        What the page says; all ``None`` where there is no such page, or one of a server not known here.

    Raises:
        NoAnswer: the server cannot be asked.
    """
    try:
        page = await ask(endpoint, "/metrics")
    except NoAnswer as exc:
        if exc.status is None:
            raise
        return EngineLoad(memory_bytes=memory_bytes)
    return load_from(prometheus_values(page.decode("utf-8", "replace")), memory_bytes=memory_bytes)


def load_from(values: Mapping[str, float], *, memory_bytes: int | None = None) -> EngineLoad:
    """Read the figures of whichever known server wrote them."""
    names = next((each for each in _KNOWN if each.running in values), None)
    if names is None:
        return EngineLoad(memory_bytes=memory_bytes)

    def count(first: str, *more: str) -> int | None:
        return int(values[first] + sum(values.get(each, 0.0) for each in more)) if first in values else None

    return EngineLoad(
        n_running=count(names.running),
        n_waiting=count(names.waiting),
        input_tokens=count(*names.input_tokens),
        output_tokens=count(names.output_tokens),
        memory_bytes=memory_bytes,
    )


async def wait_idle(load: Callable[[], Awaitable[EngineLoad]], timeout_s: float) -> bool:
    """Ask again and again until nothing runs or waits; return whether that came within ``timeout_s``.

    It must be so twice in a row: a server counts a call as done before its last bytes have left. An engine that does
    not say counts as idle; one that cannot be asked does not.
    """
    n_idle = 0
    try:
        async with asyncio.timeout(timeout_s):
            while n_idle < 2:
                busy = await load()
                if busy.n_running is None and busy.n_waiting is None:
                    return True
                n_idle = 0 if busy.n_running or busy.n_waiting else n_idle + 1
                if n_idle < 2:
                    await asyncio.sleep(_DRAIN_POLL_S)
    except (TimeoutError, EngineError):
        return False
    return True
