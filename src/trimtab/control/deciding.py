"""What decisions made at the desk rest on: the journal's measurements, and the facts behind its calls."""

from collections.abc import Callable, Mapping

from trimtab.catalog import ProbeResult
from trimtab.core import CallRecord
from trimtab.gateway import MEASURED_CALLS, Measurements
from trimtab.policy import Facts
from trimtab.routing import Estimate, Measure, Measured
from trimtab.store import CallReader
from trimtab.workloads import rounded_up


def measure_with(
    reader: CallReader, quality: Callable[[str, str], Estimate | None], probes: Mapping[str, ProbeResult]
) -> Measure:
    """Return what is known of ``(workload, model)``: graded quality there, and latency over all its newest calls.

    Where those are too few, the model's newest probe stands in.
    """
    measurements = Measurements.of(reader.latency_samples(MEASURED_CALLS), probes)

    def measure(workload: str, model: str) -> Measured:
        speed = measurements.speed(model)
        return Measured(
            quality(workload, model),
            speed.ttft_p95_ms,
            speed.total_p95_ms,
            speed.output_tokens_per_s,
            speed.n_samples,
            speed.probe_day,
        )

    return measure


def facts_of(call: CallRecord) -> Facts:
    """Return what a policy would have been told of a call that carries no decision, such as an imported one.

    What the log names as the model is what answered and no wish of the caller's, so the request counts as ``auto``.
    Token counts are rounded up to a power of two, as the gateway rounds them.
    """
    return Facts(
        api=call.api,
        app=call.app,
        workload=call.workload,
        workload_class=call.workload_class,
        task_type=call.task_type,
        sensitivity=call.sensitivity,
        n_tools=call.n_tools,
        is_stream=call.is_stream,
        input_tokens=rounded_up(call.usage.input_tokens or 0),
    )
