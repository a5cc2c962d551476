"""What the demo does, step by step; each figure comes from the product's own parts."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from trimtab.cli import output
from trimtab.cli.demo_engines import Engines
from trimtab.cli.demo_gateway import LOG
from trimtab.control import Desk, local_operator
from trimtab.core import GATEWAY, CallRecord, SystemClock
from trimtab.core.errors import StoreError
from trimtab.evaluation import Answer as CaseAnswer
from trimtab.evaluation import Case, Comparison, Run, run_suite
from trimtab.ingest import ImportOptions, ImportReport, Source, read_calls, run_import
from trimtab.lab import (
    CHECKER,
    LARGE,
    PROVEN,
    SMALL,
    WORK,
    Answer,
    Compared,
    DemoFiles,
    Graded,
    Judgement,
    MoneyCheck,
    Part,
    Price,
    Rungs,
    WorkCase,
    check_money,
    climb,
    compare_claims,
    compare_policies,
    grade,
    graded_run,
    outcome_lines,
    parts_of,
    price_list,
    request_of,
    run_of_calls,
    scorer_for,
    send_all,
    send_feedback,
    suite_of,
)
from trimtab.routing import Explanation
from trimtab.store import CallFilter, Database, Importer
from trimtab.wiring import POLL_S

TIMEOUT_S = 60.0
N_EVALUATED_AT_A_TIME = 4
LIVE = CallFilter(source=GATEWAY)


class PoolEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the demo's pool."""

    model: str
    """``provider:model``."""
    n_parameters: int
    size_bytes: int
    sha256: str
    """Of its file."""
    input_usd_per_mtok: str
    """Stated by the lab: nobody sells this model."""
    output_usd_per_mtok: str
    """Stated by the lab as well."""


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """Answers that were asked for as evidence. They are no traffic, and their cost is in none of the other sums."""

    n_small: int
    """Of the small model, on the first prompts."""
    n_large: int
    """Of the large model, on the fresh prompts that the small one had answered."""
    n_failed: int
    """Of both: prompts without an answer."""
    cost_nano_usd: int


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the demo found out."""

    pool: list[PoolEntry]
    """The small model, then the large one."""
    before: list[Part]
    """Calls under the policy of today, by workload and together."""
    n_scores: int
    """Grades that were posted as feedback on calls, one a call."""
    comparison: Comparison | None
    """The small model against the large one on the same prompts; ``None`` when there was nothing to compare."""
    rungs: list[Rungs]
    """Each workload's first rungs."""
    moved: list[str]
    """Workloads that the small model answers from now on."""
    forecast: Compared | None
    """The policy that follows, on the prompts that it was chosen by."""
    applied_s: float
    """From writing the policy's file to its being in force."""
    after: list[Part]
    """Fresh calls under that policy."""
    n_under_proven: int
    """Those of them whose record names that policy's version."""
    measured: Compared | None
    """The policy on the fresh prompts, beside the large model on the same."""
    evaluated: Evaluated
    money: MoneyCheck
    explained_call_id: str
    explanation: Explanation
    elapsed_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A demo under way."""

    files: DemoFiles
    url: str
    """The running gateway's data plane."""
    engines: Engines
    desk: Desk
    """Over the gateway's journal."""
    database: Database
    """The same journal, for the import."""
    _progress: output.Progress = field(default_factory=output.Progress)

    def run(self) -> DemoResult:
        """Do every step.

        Raises:
            EngineError: an engine did not start.
            UpstreamError: the gateway did not answer a call.
            StoreError: the journal did not get every call, or the policy did not get in force.
        """
        started_s, started_us = time.monotonic(), SystemClock().now_us()
        self._wait_ready()
        first_answers, first = self._serve(self.files.first, "calls under the policy of today")
        by_large = [each for each in first if each.model == self.files.large]
        comparison, small = self._evidence(by_large, started_us)
        rungs = climb(comparison, {work.name: work.quality_bar for work in WORK})
        moved = [each.workload for each in rungs if each.is_moved]
        applied_s = self._put_in_force(rungs)
        fresh_answers, fresh = self._serve(self.files.fresh, f"fresh calls under {PROVEN}")
        large, n_failed = self._counterfactual(fresh)
        records = self._records([*first_answers, *fresh_answers])
        explained = self._explained(fresh, fresh_answers, moved)
        every = [*small.values(), *large.values()]
        return DemoResult(
            pool=[self._pool_entry(SMALL, self.files.small), self._pool_entry(LARGE, self.files.large)],
            before=parts_of(first),
            n_scores=len(first_answers) + len(fresh_answers),
            comparison=comparison,
            rungs=rungs,
            moved=moved,
            forecast=_on_equal_terms(by_large, small, moved),
            applied_s=applied_s,
            after=parts_of(fresh),
            n_under_proven=self._n_under_current(records, fresh_answers),
            measured=_beside_today(fresh, large, self.files.large),
            evaluated=Evaluated(
                n_small=len(small),
                n_large=len(large),
                n_failed=len(by_large) - len(small) + n_failed,
                cost_nano_usd=sum(each.cost_nano_usd or 0 for each in every),
            ),
            money=check_money(
                [*first_answers, *fresh_answers],
                [each.cost_nano_usd for each in (*first, *fresh)],
                records,
                sum(cell.cost_nano_usd for cell in self.desk.reader.totals(LIVE)),
            ),
            explained_call_id=explained,
            explanation=self._explain(explained),
            elapsed_s=time.monotonic() - started_s,
        )

    @property
    def _price(self) -> Price:
        return price_list({self.files.small: self.files.models[SMALL], self.files.large: self.files.models[LARGE]})

    def _wait_ready(self) -> None:
        try:
            self.engines.wait_ready(self._progress.update)
            time.sleep(2 * POLL_S)  # a worker asks this often how the engines are
        finally:
            self._progress.clear()

    def _serve(self, cases: Sequence[WorkCase], what: str) -> tuple[list[Answer], list[Graded]]:
        """Send the calls, grade the answers, and post each grade as feedback on its call."""
        try:
            answers = send_all(
                self.url, [request_of(case) for case in cases], progress=self._counting(len(cases), what)
            )
            self._records(answers)
            graded = grade(cases, answers, self._price)
            send_feedback(
                self.url,
                [
                    Judgement(call_id=answer.call_id, app=each.sent.work.app, score=float(each.is_right))
                    for answer, each in zip(answers, graded, strict=True)
                ],
                source=CHECKER,
                progress=self._counting(len(cases), "grades posted"),
            )
        finally:
            self._progress.clear()
        return answers, graded

    def _evidence(self, by_large: Sequence[Graded], started_us: int) -> tuple[Comparison | None, dict[str, Graded]]:
        """Ask the small model what the large one answered, and compare the two."""
        cases = [each.sent for each in by_large]
        if not cases:
            return None, {}
        suite = suite_of("demo-first", cases)
        baseline = run_of_calls(
            suite,
            by_large,
            model=self.files.large,
            digest=self.files.models[LARGE].card.sha256,
            started_at_us=started_us,
        )
        candidate = self._evaluate(SMALL, cases, f"of {len(cases):,} first prompts on {self.files.small}, evaluation")
        graded = graded_run(candidate, cases, self._price)
        self._import(SMALL, list(graded.values()))
        return compare_claims(baseline, candidate, n_claims=len(suite.strata)), graded

    def _counterfactual(self, fresh: Sequence[Graded]) -> tuple[dict[str, Graded], int]:
        """Ask the large model what the small one answered; return the answers and how many are missing."""
        cases = [each.sent for each in fresh if each.model == self.files.small]
        if not cases:
            return {}, 0
        run = self._evaluate(LARGE, cases, f"of {len(cases):,} fresh prompts on {self.files.large}, evaluation")
        graded = graded_run(run, cases, self._price)
        self._import(LARGE, list(graded.values()))
        return graded, run.n_failed

    def _evaluate(self, engine: str, cases: Sequence[WorkCase], what: str) -> Run:
        """Put prompts to an engine itself: what comes of it is evidence and no traffic."""
        options = request_of(cases[0]).options
        ask, n_done = self.engines.asking(engine, options), 0

        async def counted(case: Case) -> CaseAnswer:
            nonlocal n_done
            answer = await ask(case)
            n_done += 1
            self._progress.update(f"{n_done:,} {what}")
            return answer

        try:
            return asyncio.run(
                run_suite(
                    suite_of(f"demo-{engine}", cases),
                    counted,
                    model=self.files.small if engine == SMALL else self.files.large,
                    model_digest=self.files.models[engine].card.sha256,
                    scorer=scorer_for(cases),
                    options=options,
                    clock=SystemClock(),
                    n_concurrent=N_EVALUATED_AT_A_TIME,
                    deadline_s=TIMEOUT_S,
                )
            )
        finally:
            self._progress.clear()

    def _import(self, engine: str, graded: Sequence[Graded]) -> None:
        """Keep evaluated answers in the journal as what they are: imported outcomes of the app ``evaluation``."""
        path = self.files.config.parent / f"evaluation-{engine}.jsonl"
        path.write_bytes(outcome_lines(graded))
        options = ImportOptions(at_us=SystemClock().now_us(), provider=engine)
        rows = read_calls(Source(path=path, format="outcomes", options=options))
        run_import(rows, Importer(self.database).add_many, ImportReport(), max_errors=0)

    def _put_in_force(self, rungs: Sequence[Rungs]) -> float:
        """Write the policy that follows over the watched file; return the seconds until it was in force."""
        moved = {each.workload: _reason(each) for each in rungs if each.is_moved}
        head = "What the evidence says: the small model where it is proven, the large one for everything else."
        text = self.files.write_policy(PROVEN, head, moved).read_text()
        started_s = time.monotonic()
        draft = self.files.policy.with_suffix(".draft")
        draft.write_text(text)
        draft.replace(self.files.policy)
        self._await(lambda: self._current_name() == PROVEN, f"The policy {PROVEN} is not in force")
        time.sleep(2 * POLL_S)  # a worker asks this often whether the policy changed
        return time.monotonic() - started_s

    def _current_name(self) -> str | None:
        current = self.desk.policies.current()
        return None if current is None else current.name

    def _records(self, answers: Sequence[Answer]) -> dict[str, CallRecord]:
        """Return the gateway's records by call id, once all of these calls are among them."""
        wanted = {answer.call_id for answer in answers}
        self._await(
            lambda: sum(cell.n_calls for cell in self.desk.reader.totals(LIVE)) >= len(wanted),
            f"The journal does not hold all {len(wanted):,} calls",
        )
        found: dict[str, CallRecord] = {}

        def are_all_there() -> bool:
            found.update({e.call.call_id: e.call for e in self.desk.reader.stream(LIVE, bodies=False)})
            return wanted <= found.keys()

        self._await(are_all_there, f"The journal does not hold all {len(wanted):,} calls")
        return found

    def _await(self, holds: Callable[[], bool], failure: str) -> None:
        deadline_s = time.monotonic() + TIMEOUT_S
        while not holds():
            if not self.engines.is_running():
                raise StoreError("The gateway ended meanwhile.", hint=f"{LOG} in the demo's folder says why.")
            if time.monotonic() > deadline_s:
                raise StoreError(f"{failure} after {TIMEOUT_S:g} s.")
            time.sleep(0.03)

    def _counting(self, n_all: int, what: str) -> Callable[[int], None]:
        return lambda n_done: self._progress.update(f"{n_done:,} of {n_all:,} {what}")

    def _n_under_current(self, records: Mapping[str, CallRecord], answers: Sequence[Answer]) -> int:
        current = self.desk.policies.current()
        return sum(
            current is not None and records[answer.call_id].policy_version == current.version for answer in answers
        )

    def _explained(self, fresh: Sequence[Graded], answers: Sequence[Answer], moved: Sequence[str]) -> str:
        """Return the first fresh call that the policy moved, else the first one at all."""
        calls = [(answer.call_id, each.sent.work.name) for answer, each in zip(answers, fresh, strict=True)]
        return next((call_id for call_id, workload in calls if workload in moved), calls[0][0])

    def _explain(self, call_id: str) -> Explanation:
        explanation = self.desk.explain_call(local_operator(), call_id).current
        assert explanation is not None  # a call through the gateway always has its decision
        return explanation

    def _pool_entry(self, engine: str, name: str) -> PoolEntry:
        card = self.files.models[engine].card
        return PoolEntry(
            model=name,
            n_parameters=card.n_parameters,
            size_bytes=card.size_bytes,
            sha256=card.sha256,
            input_usd_per_mtok=f"{card.price.input_usd_per_mtok:f}",
            output_usd_per_mtok=f"{card.price.output_usd_per_mtok:f}",
        )


def _reason(rungs: Rungs) -> str:
    shrink = rungs.shrink
    assert shrink is not None  # nothing is moved without the gate's word
    return shrink.reason if rungs.verdict is None else f"{rungs.verdict}: {shrink.reason}"


def _on_equal_terms(by_large: Sequence[Graded], small: Mapping[str, Graded], moved: Sequence[str]) -> Compared | None:
    """Compare on the first prompts: the small model's evaluated answer where its workload moved."""
    pairs = [
        (large, small[large.sent.prompt_id] if large.sent.work.name in moved else large)
        for large in by_large
        if large.sent.prompt_id in small
    ]
    return compare_policies([old for old, _ in pairs], [new for _, new in pairs]) if pairs else None


def _beside_today(fresh: Sequence[Graded], large: Mapping[str, Graded], large_name: str) -> Compared | None:
    """Compare on the fresh prompts: the large model's evaluated answer where the small one served."""
    pairs = [
        (each if each.model == large_name else large[each.sent.prompt_id], each)
        for each in fresh
        if each.model == large_name or each.sent.prompt_id in large
    ]
    return compare_policies([old for old, _ in pairs], [new for _, new in pairs]) if pairs else None
