"""The rubric judge: a model rates one answer by a rubric, and the pass mark makes right or wrong of the rating."""

from dataclasses import dataclass
from typing import Literal

import msgspec

from trimtab.evaluation.case import Case, ScorerSpec
from trimtab.evaluation.judging.asking import Heard, JudgeModel, hear
from trimtab.evaluation.judging.enclosing import enclose, mark_of, readable, warning
from trimtab.evaluation.judging.reply import Form, Reply
from trimtab.evaluation.judging.rubric import Rubric, judge_spec
from trimtab.evaluation.scoring import Score

RUBRIC_JUDGE = "judge"
"""The scorer's name."""
VERSION = 1
"""Of the prompt and of the way replies are read."""
Outcome = Literal["pass", "fail", "unparsable", "unanswered"]
NOTHING_SAID = "there is no answer to judge"


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge made of one answer."""

    outcome: Outcome
    rating: int | None = None
    """On the rubric's scale; ``None`` where there is none."""
    reason: str = ""
    """The judge's own, or what went wrong."""
    n_asked: int = 0
    cost_nano_usd: int | None = None
    """Of all tries; ``None`` when unknown, or when nothing was asked."""

    @property
    def has_passed(self) -> bool | None:
        """The verdict; ``None`` where there is none."""
        return {"pass": True, "fail": False}.get(self.outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class RubricJudge:
    """A ``Scorer`` that asks a model."""

    model: JudgeModel
    rubric: Rubric
    version: int = VERSION
    is_binary: bool = True

    @property
    def spec(self) -> ScorerSpec:
        """Model and rubric."""
        return judge_spec(RUBRIC_JUDGE, self.model.name, self.rubric)

    @property
    def meaning(self) -> str:
        """What a score says."""
        rubric = self.rubric
        return (
            f"1 when {self.model.name} rates the answer {rubric.pass_mark} or more on a scale of {rubric.lowest} to "
            f"{rubric.highest}, no score when its verdict cannot be read, otherwise 0; higher is better"
        )

    async def score(self, case: Case, answer: str) -> Score:
        """Grade one answer; without a verdict that can be read the score is ``None``."""
        found = await self.judge(case, answer)
        rated = "" if found.rating is None else f"{found.rating} of {self.rubric.highest}: "
        return Score(
            value=None if found.has_passed is None else float(found.has_passed),
            why=f"{rated}{found.reason}",
            cost_nano_usd=found.cost_nano_usd,
        )

    async def judge(self, case: Case, answer: str) -> Judgement:
        """Ask for a verdict on one answer. Silence fails without a question."""
        if not answer.strip():
            return Judgement(outcome="fail", reason=NOTHING_SAID)
        parts = readable(parts_of(case) | {"answer": answer})
        mark = mark_of(parts)
        form = Form(
            word="rating",
            verdicts={str(rating): rating for rating in self.rubric.ratings},
            mark=mark,
            as_json=self.model.has_json_schema,
        )
        heard = await hear(self.model, _system(self.rubric, mark), enclose(parts, mark), form)
        return _judgement(heard, self.rubric.pass_mark)


def _judgement(heard: Heard[int], pass_mark: int) -> Judgement:
    outcome: Outcome
    rating = None
    if isinstance(heard.found, Reply):
        rating = heard.found.verdict
        outcome = "pass" if rating >= pass_mark else "fail"
    else:
        outcome = heard.found
    return Judgement(
        outcome=outcome, rating=rating, reason=heard.why, n_asked=heard.n_asked, cost_nano_usd=heard.cost_nano_usd
    )


def parts_of(case: Case) -> dict[str, str]:
    """Return what a judge reads of a case, by the name it is shown under; what is empty is left out."""
    turns = [one.content if one.role == "user" else f"({one.role}) {one.content}" for one in case.messages]
    shown = {"question": "\n\n".join(turns), "context": case.context, "reference": case.expected}
    return {name: text for name, text in shown.items() if text.strip()}


def criteria_of(rubric: Rubric) -> str:
    """Return the criteria as a list."""
    return "\n".join(f"- {one.strip()}" for one in rubric.criteria)


def _system(rubric: Rubric, mark: str) -> str:
    return (
        "You grade the answer that a system gave to a question, strictly by these criteria:\n"
        f"{criteria_of(rubric)}\n\n"
        f"Rate from {rubric.lowest} (meets none of them) to {rubric.highest} (meets all of them); {rubric.pass_mark} "
        "and above mean that the answer is good enough. A reference, where there is one, is right; an answer may say "
        "the same in other words. Length and confidence earn nothing.\n\n"
        f"{warning(mark)}"
    )
