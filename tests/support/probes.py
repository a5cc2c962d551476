"""A probe with figures to recognise."""

from trimtab.catalog import ProbedContext, ProbedPower, ProbeLevel, ProbeResult

NOON_US = 1_793_620_800_000_000
"""2026-11-02, noon UTC."""


def level(concurrency: int, total: float | None, *, n_calls: int = 20, n_failed: int = 0) -> ProbeLevel:
    return ProbeLevel(
        concurrency=concurrency,
        n_calls=n_calls,
        n_failed=n_failed,
        n_passes=3,
        ttft_p50_ms=40.0,
        ttft_p95_ms=80.0,
        call_output_tokens_per_s=50.0,
        output_tokens_per_s=total,
    )


def probed(model: str, *levels: ProbeLevel, at_us: int = NOON_US) -> ProbeResult:
    found = levels or (level(1, 45.0), level(8, 1000.0, n_calls=24))
    return ProbeResult(
        model=model,
        measured_at_us=at_us,
        n_calls=sum(each.n_calls for each in found),
        input_tokens=128,
        output_tokens=64,
        levels=found,
        input_tokens_per_s=3200.0,
        saturating_concurrency=None,
        context=ProbedContext(declared_tokens=512, accepted_tokens=460, is_refused_above=True),
        capabilities=(),
        memory_bytes=77_000_000,
        power=ProbedPower(source="no sensor"),
    )
