import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.stats.change_detection import AdaptiveWindow, PageHinkley


def reference_stream() -> list[int]:
    """The stream of the river package's documentation: the change comes after 1,000 numbers."""
    drawn = random.Random(12345)
    return drawn.choices([0, 1], k=1000) + drawn.choices(range(4, 8), k=1000)


def test_the_window_is_cut_once_where_river_cuts_it() -> None:
    window = AdaptiveWindow()

    assert [position for position, value in enumerate(reference_stream()) if window.add(value)] == [1023]
    assert window.mean == pytest.approx(5.5, abs=0.1)
    assert 1000 <= window.n_window <= 1010


def test_page_hinkley_alarms_once_where_rivers_does() -> None:
    detector = PageHinkley()

    assert [position for position, value in enumerate(reference_stream()) if detector.add(value)] == [1006]


def test_looking_at_every_number_notices_within_five() -> None:
    window = AdaptiveWindow(check_every=1)
    first = next(position for position, value in enumerate(reference_stream()) if window.add(value))

    assert 1000 <= first < 1005


def test_a_stable_stream_is_left_alone() -> None:
    drawn, cut, alarmed = random.Random(7), 0, 0
    for _ in range(40):
        window, detector = AdaptiveWindow(), PageHinkley()
        stream = [float(drawn.random() < 0.8) for _ in range(2000)]
        cut += any([window.add(value) for value in stream])
        alarmed += any([detector.add(value) for value in stream])

    assert cut <= 2
    assert alarmed <= 2


@pytest.mark.parametrize("drop", [0.1, 0.2])
def test_a_drop_in_a_pass_rate_is_noticed(drop: float) -> None:
    drawn, window = random.Random(8), AdaptiveWindow()
    stream = [float(drawn.random() < 0.9) for _ in range(2000)] + [
        float(drawn.random() < 0.9 - drop) for _ in range(2000)
    ]
    cuts = [position for position, value in enumerate(stream) if window.add(value)]

    assert 2000 < cuts[0] < 3000


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=400))
def test_an_uncut_window_keeps_count_and_mean_in_few_buckets(values: list[float]) -> None:
    window = AdaptiveWindow(check_every=10_000)
    for value in values:
        window.add(value)

    assert window.n_window == len(values)
    assert window.mean == pytest.approx(math.fsum(values) / len(values), abs=1e-6)
    assert len(window._buckets) <= 5 * (math.log2(len(values)) + 1)


@pytest.mark.parametrize("detector", [AdaptiveWindow(), PageHinkley()])
def test_what_is_no_number_is_an_error(detector: AdaptiveWindow | PageHinkley) -> None:
    with pytest.raises(ValueError, match="nan is not a finite number"):
        detector.add(math.nan)


def test_settings_that_do_not_fit_are_errors() -> None:
    with pytest.raises(ValueError, match="delta"):
        AdaptiveWindow(delta=0)
    with pytest.raises(ValueError, match="threshold"):
        PageHinkley(threshold=0)
    assert AdaptiveWindow().mean is None
