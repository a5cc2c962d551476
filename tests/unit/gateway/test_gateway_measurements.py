"""Rolling latency."""

from trimtab.gateway import Measurements, Speed


def test_p95_is_the_nearest_rank() -> None:
    measured = Measurements()
    for value in range(1, 101):
        measured.observe("m", total_ms=float(value), ttft_ms=None, output_tokens=None)
    assert measured.speed("m").total_p95_ms == 95.0  # 95 of 100 values are at or below it
    assert measured.speed("m").n_samples == 100


def test_output_speed_counts_the_time_after_the_first_chunk() -> None:
    measured = Measurements()
    measured.observe("m", total_ms=1_100.0, ttft_ms=100.0, output_tokens=50)
    assert measured.speed("m").output_tokens_per_s == 50.0


def test_the_journals_figures_hold_until_this_process_has_twenty_calls() -> None:
    seed = Speed(10.0, 20.0, 30.0, 500)
    measured = Measurements({"m": seed})
    for _ in range(19):
        measured.observe("m", total_ms=1.0, ttft_ms=None, output_tokens=None)
    assert measured.speed("m") == seed
    measured.observe("m", total_ms=1.0, ttft_ms=None, output_tokens=None)
    assert measured.speed("m").total_p95_ms == 1.0


def test_an_unmeasured_model_has_no_figures() -> None:
    assert Measurements().speed("m") == Speed(None, None, None, 0)
