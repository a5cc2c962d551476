import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import bdtr

from trimtab.stats.mcnemar import mcnemar
from trimtab.stats.paired import PairedCounts


def counts(both: int, candidate_only: int, baseline_only: int, neither: int) -> PairedCounts:
    return PairedCounts(both=both, candidate_only=candidate_only, baseline_only=baseline_only, neither=neither)


def test_mcnemar_of_the_approval_survey_is_as_published() -> None:
    # Agresti, "Categorical Data Analysis", approval of the same 1,600 people twice.
    test = mcnemar(counts(794, 86, 150, 570))

    assert test.chi_squared == pytest.approx(17.3559, abs=5e-5)
    assert test.p_asymptotic == pytest.approx(3.0993e-05, abs=5e-10)
    assert test.chi_squared_corrected == pytest.approx(16.8178, abs=5e-5)
    assert test.p_corrected == pytest.approx(4.1146e-05, abs=5e-10)
    assert test.p_exact == pytest.approx(3.7159e-05, abs=5e-10)
    assert test.p_mid == pytest.approx(2.8934e-05, abs=5e-10)


def test_mcnemar_of_101_121_59_33_is_as_published() -> None:
    test = mcnemar(counts(101, 121, 59, 33))

    assert test.chi_squared == pytest.approx(21.3556, abs=5e-5)
    assert test.p_asymptotic == pytest.approx(3.815e-06, abs=5e-10)
    assert test.chi_squared_corrected == pytest.approx(20.6722, abs=5e-5)
    assert test.p_corrected == pytest.approx(5.450e-06, abs=5e-10)
    assert test.p_exact == pytest.approx(4.434e-06, abs=5e-10)


def test_mcnemar_of_benturs_airway_data_is_as_published() -> None:
    # Bentur et al. (2009), in Fagerland, Lydersen and Laake (2013), table 1.
    test = mcnemar(counts(1, 1, 7, 12))

    assert test.p_asymptotic == pytest.approx(0.033895, abs=5e-7)
    assert test.p_exact == pytest.approx(0.070313, abs=6e-7)
    assert test.p_mid == pytest.approx(0.039063, abs=6e-7)


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_the_exact_sum_equals_the_binomial_distribution(gains: int, losses: int) -> None:
    test = mcnemar(counts(1, gains, losses, 0))
    expected = min(2 * float(bdtr(min(gains, losses), gains + losses, 0.5)), 1.0)

    assert test.p_exact == pytest.approx(expected, rel=1e-8, abs=1e-300)
    assert test.p_mid <= test.p_exact
    assert mcnemar(counts(1, losses, gains, 0)) == test


def test_without_a_disagreement_there_is_nothing_to_find() -> None:
    test = mcnemar(counts(30, 0, 0, 10))

    assert (test.p_asymptotic, test.p_corrected, test.p_exact, test.p_mid) == (1, 1, 1, 1)
