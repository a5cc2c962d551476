"""What a judge graded counts in a gate only where the judge was measured and admitted."""

import msgspec
import pytest
from tests.support.evaluation import outcomes_of, run_of, suite_of

from trimtab.evaluation import Comparison, GateOutcome, Run, ScorerSpec, ScorerUse, Suite, compare_runs, gate, gate_all
from trimtab.evaluation.judging import Admission, AdmissionOutcome, judge_digest_of, judges_of
from trimtab.evaluation.recommending import recommend

JUDGE = ScorerSpec(name="judge", options={"model": "p:judge", "criteria": ("is right",)})
DIGEST = judge_digest_of(JUDGE, 1)
ADMITTED = Admission(outcome=AdmissionOutcome.ADMITTED, reasons=())
REFUSED = Admission(outcome=AdmissionOutcome.REFUSED, reasons=("TPR too low",))


def judged(run: Run, *specs: ScorerSpec) -> Run:
    return msgspec.structs.replace(run, scorers=tuple(ScorerUse(spec=spec) for spec in specs))


def compared(suite: Suite, *specs: ScorerSpec, losses: int) -> Comparison:
    baseline, candidate = outcomes_of(both=2_000 - losses, candidate_only=20, baseline_only=losses, neither=0)
    runs = [run_of(suite, {"s": outcomes}) for outcomes in (baseline, candidate)]
    return compare_runs(judged(runs[0], *specs), judged(runs[1], *specs))


@pytest.fixture(scope="module")
def suite() -> Suite:
    return suite_of({"s": 2_020})


@pytest.mark.parametrize(("losses", "believed"), [(20, GateOutcome.PASS), (200, GateOutcome.FAIL)])
def test_the_grades_of_a_judge_that_is_not_admitted_show_neither_a_yes_nor_a_no(
    suite: Suite, losses: int, believed: GateOutcome
) -> None:
    comparison = compared(suite, JUDGE, losses=losses)

    unknown = gate(comparison)
    refused = gate(comparison, admissions={DIGEST: REFUSED})
    admitted = gate(comparison, admissions={DIGEST: ADMITTED})

    assert {unknown.outcome, refused.outcome} == {GateOutcome.INSUFFICIENT_EVIDENCE}
    assert refused.strata[0].reason.startswith("the grades are those of p:judge, not admitted as judge")
    assert (unknown.judges[0].judge_digest, unknown.judges[0].admission.n_good_needed) == (DIGEST, 36)
    assert (admitted.outcome, admitted.strata[0].outcome) == (believed, believed)


def test_a_judge_inside_of_another_scorer_is_found() -> None:
    inside = ScorerSpec(name="composite", options={"scorers": (ScorerSpec(name="exact_match"), JUDGE)})

    found = judges_of([ScorerUse(spec=inside), ScorerUse(spec=JUDGE), ScorerUse(spec=ScorerSpec(name="contains"))])

    assert [use.spec for use in found] == [JUDGE]


def test_one_judge_among_several_that_is_not_admitted_is_enough(suite: Suite) -> None:
    other = ScorerSpec(name="pairwise_judge", options={"model": "p:other", "criteria": ("is right",)})

    verdict = gate(compared(suite, JUDGE, other, losses=20), admissions={DIGEST: ADMITTED})

    assert verdict.outcome is GateOutcome.INSUFFICIENT_EVIDENCE
    assert "those of p:other, not admitted" in verdict.strata[0].reason


def test_gating_several_and_recommending_ask_for_admission_too(suite: Suite) -> None:
    comparison = compared(suite, JUDGE, losses=20)

    assert gate_all([comparison])[0].outcome is GateOutcome.INSUFFICIENT_EVIDENCE
    assert gate_all([comparison], admissions={DIGEST: ADMITTED})[0].outcome is GateOutcome.PASS
    assert recommend([comparison])[0].undecided == ("s",)
    assert recommend([comparison], admissions={DIGEST: ADMITTED})[0].default_for == ("s",)


def test_a_comparison_without_a_judge_needs_none(suite: Suite) -> None:
    verdict = gate(compared(suite, ScorerSpec(name="exact_match"), losses=20))

    assert (verdict.outcome, verdict.judges) == (GateOutcome.PASS, ())
