"""A store in a file, a model that answers by a script, and runs over them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.clock import StillClock

from trimtab.evaluation import Answer, Case, Patience, Request, RunPlan, Score, ScorerSpec, Suite
from trimtab.evaluation.case import Option
from trimtab.evaluation.scoring import EXACT_MATCH, Scorer
from trimtab.replay.evaluating import Done, Grader, Manner, begin_run, fill_run
from trimtab.store import EvaluationStore, StoredRun, open_database

QUICK = Patience(deadline_s=5.0, base_s=0.0001, max_tries=2)
Say = Callable[[Request], "Answer | Exception"]


def say_yes(request: Request) -> Answer:
    return Answer(text="yes", cost_nano_usd=10)


@dataclass
class ScriptedModel:
    """Answers by a function and keeps what it was asked."""

    say: Say = say_yes
    asked: list[tuple[str, int]] = field(default_factory=list)
    pause_s: float = 0.0

    async def ask(self, request: Request) -> Answer:
        self.asked.append((request.case.case_id, request.sample))
        await asyncio.sleep(self.pause_s)
        said = self.say(request)
        if isinstance(said, Exception):
            raise said
        return said


@dataclass
class ScriptedScorer:
    """Scores by a function of case and answer."""

    grade: Callable[[Case, str], float | None]
    spec: ScorerSpec = field(default_factory=lambda: ScorerSpec(name="scripted"))
    version: int = 1
    meaning: str = "whatever the test says"
    is_binary: bool = False

    async def score(self, case: Case, answer: str) -> Score:
        return Score(value=self.grade(case, answer))


@dataclass
class Rig:
    """Everything that a run takes."""

    store: EvaluationStore
    suite: Suite
    model: ScriptedModel
    scorer: Scorer = EXACT_MATCH
    manner: Manner = field(default_factory=lambda: Manner(n_concurrent=3, patience=QUICK))
    seen: list[Done] = field(default_factory=list)

    @classmethod
    def at(cls, folder: Path, suite: Suite, model: ScriptedModel | None = None) -> "Rig":
        database = open_database(f"sqlite:///{folder / 'trimtab.db'}")
        return cls(EvaluationStore(database, StillClock()), suite, model or ScriptedModel())

    def grader(self) -> Grader:
        return Grader(self.suite, lambda spec: self.scorer)

    def plan(self, model: str = "local:small", **options: Option) -> RunPlan:
        return RunPlan(
            suite_name=self.suite.name,
            suite_version=self.suite.version,
            suite_digest=self.suite.digest,
            model=model,
            scorers=self.grader().uses,
            options={"temperature": 0.0, **options},
        )

    async def run(self, plan: RunPlan | None = None, *, is_new: bool = False) -> StoredRun:
        begun = begin_run(self.store, self.suite, plan or self.plan(), StillClock(), is_new=is_new)
        await fill_run(
            self.store, begun, self.suite, self.model.ask, self.grader(), self.manner, on_done=self.seen.append
        )
        return self.store.find(begun.run_id)

    def scores(self, run: StoredRun) -> dict[tuple[str, int], float | None]:
        results = (each.result for each in self.store.results(run.run_id))
        return {(result.case_id, result.sample): result.score for result in results}
