import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trimtab.stats.paired import (
    PairedCounts,
    newcombe_paired_interval,
    tango_interval,
    tango_noninferiority,
)


def counts(both: int, candidate_only: int, baseline_only: int, neither: int) -> PairedCounts:
    return PairedCounts(both=both, candidate_only=candidate_only, baseline_only=baseline_only, neither=neither)


def turned(table: PairedCounts) -> PairedCounts:
    return counts(table.both, table.baseline_only, table.candidate_only, table.neither)


ANY_COUNTS = st.tuples(*[st.integers(0, 400)] * 4).filter(any).map(lambda cells: counts(*cells))


@pytest.mark.parametrize(
    ("gains", "losses", "n", "lower", "upper"),
    [(1, 7, 21, -0.517232, -0.026003), (6, 16, 161, -0.124023, -0.005433), (40, 20, 160, 0.030865, 0.218064)],
    ids=["bentur-airways", "newcombe-crossover", "propcis-example"],
)
def test_tango_interval_gives_the_published_bounds(gains: int, losses: int, n: int, lower: float, upper: float) -> None:
    table = counts(n - gains - losses, gains, losses, 0)

    assert tango_interval(table) == pytest.approx((lower, upper), abs=1e-6)


def test_tango_noninferiority_gives_the_reference_statistic() -> None:
    test = tango_noninferiority(counts(800, 60, 80, 60), margin=0.05)

    assert test.difference == pytest.approx(-0.02)
    assert test.z == pytest.approx(2.48085, abs=1e-5)
    assert test.p_value == pytest.approx(0.0065535, abs=1e-7)


def test_newcombe_paired_gives_the_published_bounds() -> None:
    # Fagerland, Lydersen and Laake, "Statistical Analysis of Contingency Tables" (2017), chapter 8.
    table = counts(59, 6, 16, 80)

    assert table.difference == pytest.approx(-0.0621, abs=5e-5)
    assert newcombe_paired_interval(table) == pytest.approx((-0.1186, -0.0046), abs=5e-5)


def test_walds_error_of_the_approval_survey_is_as_published() -> None:
    # Agresti, "Categorical Data Analysis", approval of the same 1,600 people twice.
    table = counts(794, 86, 150, 570)

    assert table.difference == -0.04
    assert table.standard_error == pytest.approx(0.00955, abs=5e-6)
    assert table.difference - 1.96 * table.standard_error == pytest.approx(-0.0587, abs=5e-5)
    assert table.difference + 1.96 * table.standard_error == pytest.approx(-0.0213, abs=5e-5)


@given(ANY_COUNTS)
def test_both_intervals_hold_the_difference_and_turn_with_the_models(table: PairedCounts) -> None:
    for interval in (tango_interval, newcombe_paired_interval):
        lower, upper = interval(table)
        other = interval(turned(table))

        assert -1 <= lower <= table.difference + 1e-9
        assert table.difference - 1e-9 <= upper <= 1
        assert (lower, upper) == pytest.approx((-other.upper, -other.lower), abs=1e-9)


@given(ANY_COUNTS, st.sampled_from([0.0, 0.01, 0.02, 0.05, 0.2]))
def test_the_gate_says_yes_exactly_where_the_bound_clears_the_margin(table: PairedCounts, margin: float) -> None:
    lower = tango_interval(table, confidence=0.9).lower
    assume(abs(lower + margin) > 1e-9)

    assert (tango_noninferiority(table, margin=margin).p_value < 0.05) == (lower > -margin)


@given(ANY_COUNTS, st.floats(0, 0.5), st.floats(0, 0.4))
def test_a_wider_margin_is_never_harder_to_pass(table: PairedCounts, margin: float, more: float) -> None:
    narrow, wide = (tango_noninferiority(table, margin=m).p_value for m in (margin, margin + more))

    assert wide <= narrow + 1e-12


def test_agreement_on_every_case_is_not_proof_of_no_difference() -> None:
    lower, upper = tango_interval(counts(45, 0, 0, 5))

    # Tango's bound with no disagreement is z**2 / (n + z**2) = 3.8415 / 53.8415 on either side.
    assert (lower, upper) == pytest.approx((-0.071348, 0.071348), abs=1e-6)


def test_losing_every_case_is_a_difference_of_minus_one() -> None:
    lower, upper = tango_interval(counts(0, 0, 20, 0))

    assert lower == pytest.approx(-1)
    assert -1 < upper < -0.6
    assert tango_noninferiority(counts(0, 0, 20, 0), margin=0.05).z < -4


def test_outcomes_are_counted_case_by_case() -> None:
    outcomes = [(True, True), (True, False), (False, True), (False, True), (False, False)]

    assert PairedCounts.from_outcomes(outcomes) == counts(1, 1, 2, 1)


def test_no_pair_and_negative_counts_are_errors() -> None:
    with pytest.raises(ValueError, match="0 pairs"):
        PairedCounts.from_outcomes([])
    with pytest.raises(ValueError, match="negative count"):
        counts(5, -1, 0, 0)


@pytest.mark.parametrize("margin", [-0.01, 1.0])
def test_a_margin_outside_its_range_is_an_error(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        tango_noninferiority(counts(5, 1, 1, 1), margin=margin)
