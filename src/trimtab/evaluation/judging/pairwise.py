"""The pairwise judge: which of two answers is better, asked in both orders, because judges like a place."""

from dataclasses import dataclass
from typing import Literal

import msgspec

from trimtab.evaluation.case import Case, ScorerSpec
from trimtab.evaluation.judging.asking import Heard, JudgeModel, hear
from trimtab.evaluation.judging.enclosing import enclose, mark_of, readable, warning
from trimtab.evaluation.judging.reply import Form, Reply
from trimtab.evaluation.judging.rubric import Rubric, judge_spec
from trimtab.evaluation.judging.rubric_judge import Judgement, Outcome, criteria_of, parts_of
from trimtab.evaluation.scoring import Score

PAIRWISE_JUDGE = "pairwise_judge"
"""The scorer's name."""
VERSION = 1
"""Of the prompt and of the way replies are read."""
Pick = Literal["first", "second", "tie"]
PairOutcome = Literal["win", "loss", "tie", "inconsistent", "unparsable", "unanswered"]
"""Of the candidate. ``inconsistent`` counts as a tie, apart from those that the judge called one."""
POINTS = {"win": 1.0, "tie": 0.5, "inconsistent": 0.5, "loss": 0.0}
AT_LEAST_AS_GOOD = 0.5
_OUTCOMES: dict[PairOutcome, Outcome] = {"unparsable": "unparsable", "unanswered": "unanswered"}
_PICKS: dict[str, Pick] = {"first": "first", "second": "second", "tie": "tie"}


class PairJudgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge made of two answers to one case."""

    outcome: PairOutcome
    candidate_first: Pick | None = None
    """What it picked when the candidate's answer came first; ``None`` where that could not be read or was not asked."""
    baseline_first: Pick | None = None
    """What it picked when the baseline's answer came first."""
    reason: str = ""
    n_asked: int = 0
    cost_nano_usd: int | None = None
    """Of both orders; ``None`` when unknown, or when nothing was asked."""

    @property
    def picks(self) -> tuple[Pick, ...]:
        """Places that it preferred, ties left out."""
        return tuple(one for one in (self.candidate_first, self.baseline_first) if one in ("first", "second"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PairwiseJudge:
    """Compares two answers; as a ``Scorer``, the answer under test with the case's expected one."""

    model: JudgeModel
    rubric: Rubric
    """Its criteria count; the scale has no say."""
    version: int = VERSION
    is_binary: bool = False

    @property
    def spec(self) -> ScorerSpec:
        """Model and rubric."""
        return judge_spec(PAIRWISE_JUDGE, self.model.name, self.rubric)

    @property
    def meaning(self) -> str:
        """What a score says."""
        return (
            f"1 when {self.model.name} prefers the answer to the expected one in both orders, 0 when it prefers the "
            "expected one, 0.5 when neither or when the orders disagree, no score when a verdict cannot be read; "
            "0 to 1, higher is better"
        )

    async def score(self, case: Case, answer: str) -> Score:
        """Compare an answer with the expected one; without a verdict that can be read the score is ``None``."""
        if not case.expected.strip():
            return Score(value=None, why="the case has no expected answer to compare with")
        found = await self.compare(case, candidate=answer, baseline=case.expected, shows_reference=False)
        return Score(
            value=POINTS.get(found.outcome),
            why=f"{found.outcome}: {found.reason}",
            cost_nano_usd=found.cost_nano_usd,
        )

    async def judge(self, case: Case, answer: str) -> Judgement:
        """Say whether an answer is at least as good as the expected one, which is what this judge's card measures."""
        found = await self.compare(case, candidate=answer, baseline=case.expected, shows_reference=False)
        points = POINTS.get(found.outcome)
        return Judgement(
            outcome=_OUTCOMES[found.outcome] if points is None else "pass" if points >= AT_LEAST_AS_GOOD else "fail",
            reason=found.reason,
            n_asked=found.n_asked,
            cost_nano_usd=found.cost_nano_usd,
        )

    async def compare(
        self, case: Case, *, candidate: str, baseline: str, shows_reference: bool = True
    ) -> PairJudgement:
        """Ask twice, each answer once in the first place.

        The candidate wins or loses only where both orders say so. Answers that are equal tie, and silence loses,
        without a question.

        Args:
            case: What both answer.
            candidate: One answer.
            baseline: The other one.
            shows_reference: Whether the judge is shown the case's expected answer.
        """
        settled = _settled(candidate.strip(), baseline.strip())
        if settled is not None:
            return settled
        parts = parts_of(case)
        if not shows_reference:
            parts.pop("reference", None)
        forwards = await self._ask(parts, candidate, baseline)
        backwards = await self._ask(parts, baseline, candidate)
        return _together(forwards, backwards)

    async def _ask(self, parts: dict[str, str], first: str, second: str) -> Heard[Pick]:
        shown = readable(parts | {"first-answer": first, "second-answer": second})
        mark = mark_of(shown)
        form = Form(word="better", verdicts=_PICKS, mark=mark, as_json=self.model.has_json_schema)
        return await hear(self.model, _system(self.rubric, mark), enclose(shown, mark), form)


def _settled(candidate: str, baseline: str) -> PairJudgement | None:
    if candidate == baseline:
        return PairJudgement(outcome="tie", reason="both answers are the same")
    if not candidate:
        return PairJudgement(outcome="loss", reason="the candidate answered nothing")
    if not baseline:
        return PairJudgement(outcome="win", reason="the baseline answered nothing")
    return None


def _together(forwards: Heard[Pick], backwards: Heard[Pick]) -> PairJudgement:
    picks = [one.found.verdict if isinstance(one.found, Reply) else None for one in (forwards, backwards)]
    costs = [one.cost_nano_usd for one in (forwards, backwards)]
    known = [cost for cost in costs if cost is not None]
    return PairJudgement(
        outcome=_outcome(forwards, backwards),
        candidate_first=picks[0],
        baseline_first=picks[1],
        reason=" / ".join(dict.fromkeys(one.why for one in (forwards, backwards) if one.why)),
        n_asked=forwards.n_asked + backwards.n_asked,
        cost_nano_usd=sum(known) if len(known) == len(costs) else None,
    )


def _outcome(forwards: Heard[Pick], backwards: Heard[Pick]) -> PairOutcome:
    found = (forwards.found, backwards.found)
    for one in found:
        if not isinstance(one, Reply):
            return one  # half a comparison is none: the order that was read is the one that bias speaks through
    said = tuple(one.verdict for one in found if isinstance(one, Reply))
    consistent: dict[tuple[Pick, ...], PairOutcome] = {
        ("first", "second"): "win",
        ("second", "first"): "loss",
        ("tie", "tie"): "tie",
    }
    return consistent.get(said, "inconsistent")


def _system(rubric: Rubric, mark: str) -> str:
    return (
        "You compare two answers that two systems gave to one question. Say which is better by these criteria:\n"
        f"{criteria_of(rubric)}\n\n"
        "Say tie when neither is better. A reference, where there is one, is right; an answer may say the same in "
        "other words. Which answer comes first is chance and means nothing; length and confidence earn nothing.\n\n"
        f"{warning(mark)}"
    )
