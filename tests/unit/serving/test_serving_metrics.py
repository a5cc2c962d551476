import asyncio

import pytest

from trimtab.core.errors import EngineError
from trimtab.serving import Endpoint, EngineLoad
from trimtab.serving.http import prometheus_values, url_of
from trimtab.serving.metrics import load_from, wait_idle

VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a } b"} 2.0
vllm:num_requests_running{engine="1",model_name="a } b"} 1.0
vllm:num_requests_waiting{engine="0",model_name="a } b"} 0.0
vllm:prompt_tokens_total{engine="0"} 1.2e+03
vllm:generation_tokens_total{engine="0"} 34.0
"""
LLAMA = """\
llamacpp:prompt_tokens_total 30
llamacpp:prompt_tokens_cached_total 12
llamacpp:tokens_predicted_total 7
llamacpp:requests_processing 1
llamacpp:requests_deferred 2
"""
SGLANG = """\
sglang:prompt_tokens_total{model_name="m"} 8.128902e+06
sglang:generation_tokens_total{model_name="m"} 7.557572e+06
sglang:num_running_reqs{model_name="m"} 161.0
sglang:num_queue_reqs{model_name="m"} 2826.0
"""
TGI = """\
tgi_batch_current_size 3
tgi_queue_size 0
tgi_request_input_length_bucket{le="+Inf"} 2
tgi_request_input_length_sum 40
tgi_request_generated_tokens_sum 20
"""


@pytest.mark.parametrize(
    ("page", "load"),
    [
        (VLLM, EngineLoad(n_running=3, n_waiting=0, input_tokens=1200, output_tokens=34)),
        (LLAMA, EngineLoad(n_running=1, n_waiting=2, input_tokens=42, output_tokens=7)),
        (SGLANG, EngineLoad(n_running=161, n_waiting=2826, input_tokens=8_128_902, output_tokens=7_557_572)),
        (TGI, EngineLoad(n_running=3, n_waiting=0, input_tokens=40, output_tokens=20)),
        ("llamacpp:requests_processing 0", EngineLoad(n_running=0)),
        ("python_info 1", EngineLoad()),
        ("<html>not found</html>", EngineLoad()),
    ],
)
def test_each_servers_page_becomes_a_load_and_what_is_missing_is_unknown(page: str, load: EngineLoad) -> None:
    assert load_from(prometheus_values(page)) == load


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("a 1", {"a": 1.0}),
        ("a 1 1700000000000", {"a": 1.0}),
        ('a{b="c d"} 1 -1', {"a": 1.0}),
        ("a  1", {"a": 1.0}),
        ("a NaN", {}),
        ("a +Inf", {}),
        ("a", {}),
        ("", {}),
        ("# a 1", {}),
        ("a 1 # {trace_id=x} 0.5", {}),
        ("1a 1", {}),
    ],
)
def test_a_line_counts_once_or_not_at_all(line: str, values: dict[str, float]) -> None:
    assert prometheus_values(line) == values


@pytest.mark.parametrize(
    ("base_url", "path", "url"),
    [
        ("http://h:1/v1", "models", "http://h:1/v1/models"),
        ("http://h:1/v1/", "/health", "http://h:1/health"),
        ("http://h:1", "/health", "http://h:1/health"),
        ("http://h/engines/v1", "/metrics", "http://h/engines/metrics"),
    ],
)
def test_a_path_is_below_the_address_or_beside_its_v1(base_url: str, path: str, url: str) -> None:
    assert url_of(Endpoint(base_url=base_url), path) == url


class Scripted:
    """Says one load after the other, the last one again and again."""

    def __init__(self, *loads: EngineLoad | EngineError) -> None:
        self.loads = list(loads)

    async def __call__(self) -> EngineLoad:
        load = self.loads.pop(0) if len(self.loads) > 1 else self.loads[0]
        if isinstance(load, EngineError):
            raise load
        return load


async def test_idle_is_neither_running_nor_waiting_twice_in_a_row() -> None:
    busy, waiting, idle = (EngineLoad(n_running=n, n_waiting=m) for n, m in ((1, 0), (0, 1), (0, 0)))
    scripted = Scripted(busy, waiting, idle, busy, idle, idle, busy)
    assert await wait_idle(scripted, 5)
    assert scripted.loads == [busy]


@pytest.mark.parametrize(
    ("load", "is_idle"),
    [(EngineLoad(memory_bytes=1), True), (EngineLoad(n_running=1), False), (EngineError("gone"), False)],
)
async def test_who_does_not_say_is_idle_and_who_does_not_answer_is_not(
    load: EngineLoad | EngineError, is_idle: bool
) -> None:
    assert await asyncio.wait_for(wait_idle(Scripted(load), 0.02), 1) is is_idle
