"""Answers graded by the checker, as runs of one suite that can be compared case by case."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from trimtab import evaluation
from trimtab.catalog import TOKENS_PER_MTOK
from trimtab.core import to_nano_usd
from trimtab.evaluation import Case, CaseResult, Run, Suite, TextScorer, user_prompt
from trimtab.lab.demo_work import WorkCase
from trimtab.lab.office import OFFICE_VERSION, OfficeCase, is_right
from trimtab.lab.pool import PoolModel
from trimtab.lab.traffic import Answer

CHECKER = "office-checker"
"""Who grades: the generator's own comparison with the one right answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """One answered prompt."""

    sent: WorkCase
    model: str
    """Who answered, ``provider:model``."""
    text: str
    input_tokens: int | None
    output_tokens: int | None
    cost_nano_usd: int | None
    """As the caller was told it, or worked out from the tokens that came with it."""
    is_right: bool


Price = Callable[[str, int | None, int | None], int | None]
"""Cost in nano-dollars of a model's answer with so many input and output tokens."""


def price_list(models: Mapping[str, PoolModel]) -> Price:
    """Return the lab's prices as a function.

    Args:
        models: By ``provider:model``.
    """

    def cost_nano_usd(name: str, input_tokens: int | None, output_tokens: int | None) -> int | None:
        if input_tokens is None or output_tokens is None:
            return None
        price = models[name].card.price
        return _nano_usd(input_tokens, price.input_usd_per_mtok) + _nano_usd(output_tokens, price.output_usd_per_mtok)

    return cost_nano_usd


def _nano_usd(tokens: int, usd_per_mtok: Decimal) -> int:
    return to_nano_usd(tokens * usd_per_mtok / TOKENS_PER_MTOK)


def grade(sent: Sequence[WorkCase], answers: Sequence[Answer], price: Price) -> list[Graded]:
    """Grade the answers to the prompts that were sent, in their order."""
    return [
        Graded(
            sent=case,
            model=answer.model,
            text=answer.text,
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
            cost_nano_usd=(
                price(answer.model, answer.input_tokens, answer.output_tokens)
                if answer.cost_nano_usd is None
                else answer.cost_nano_usd
            ),
            is_right=is_right(case.case, answer.text),
        )
        for case, answer in zip(sent, answers, strict=True)
    ]


def suite_of(name: str, cases: Sequence[WorkCase]) -> Suite:
    """Return prompts as a suite whose strata are the workloads.

    Raises:
        ConfigurationError: there is no prompt.
    """
    return Suite(
        name=name,
        version=f"office-{OFFICE_VERSION}",
        cases=tuple(
            Case(
                case_id=each.prompt_id,
                messages=user_prompt(each.case.prompt),
                expected=each.case.expected,
                stratum=each.work.name,
                task_type=each.case.task_type,
            )
            for each in cases
        ),
    )


def scorer_for(cases: Sequence[WorkCase]) -> TextScorer:
    """Return the checker as a scorer of a suite of these prompts."""
    by_id: dict[str, OfficeCase] = {each.prompt_id: each.case for each in cases}
    return TextScorer(
        name=CHECKER,
        meaning="1 when the answer is the expected one apart from case and white space, otherwise 0; higher is better",
        grade=lambda case, answer: float(is_right(by_id[case.case_id], answer)),
    )


def run_of_calls(suite: Suite, graded: Sequence[Graded], *, model: str, digest: str, started_at_us: int) -> Run:
    """Return calls that were served as the run that they amount to.

    Args:
        suite: Of exactly the prompts that the model answered.
        graded: The answers.
        model: ``provider:model``.
        digest: Sha256 of its weights.
        started_at_us: Of the first call.
    """
    by_id = {each.sent.prompt_id: each for each in graded}
    return Run(
        suite_name=suite.name,
        suite_version=suite.version,
        suite_digest=suite.digest,
        model=model,
        model_digest=digest,
        scorer=CHECKER,
        options={"source": "gateway"},
        started_at_us=started_at_us,
        results=tuple(_result(case, by_id[case.case_id]) for case in suite.cases),
    )


def _result(case: Case, graded: Graded) -> CaseResult:
    return CaseResult.of(
        case,
        answer=evaluation.Answer(
            text=graded.text, input_tokens=graded.input_tokens, output_tokens=graded.output_tokens
        ),
        score=float(graded.is_right),
    )


def graded_run(run: Run, cases: Sequence[WorkCase], price: Price) -> dict[str, Graded]:
    """Return the answers of an evaluation by prompt id; cases without an answer are left out."""
    by_id = {each.prompt_id: each for each in cases}
    return {
        result.case_id: Graded(
            sent=by_id[result.case_id],
            model=run.model,
            text=result.answer.text,
            input_tokens=result.answer.input_tokens,
            output_tokens=result.answer.output_tokens,
            cost_nano_usd=price(run.model, result.answer.input_tokens, result.answer.output_tokens),
            is_right=result.score == 1.0,
        )
        for result in run.results
        if result.answer is not None
    }


def outcome_lines(graded: Sequence[Graded]) -> bytes:
    """Return evaluated answers as recorded outcomes, JSONL, for the import: in the journal they are no traffic."""
    return b"".join(msgspec.json.encode(_outcome(each)) + b"\n" for each in graded)


def _outcome(graded: Graded) -> dict[str, object]:
    cost = graded.cost_nano_usd
    return {
        "prompt_id": graded.sent.prompt_id,
        "model": graded.model.partition(":")[2],
        "app": "evaluation",
        "workload": graded.sent.work.name,
        "task_type": graded.sent.case.task_type,
        "sensitivity": "internal",
        "response_text": graded.text,
        "input_tokens": graded.input_tokens,
        "output_tokens": graded.output_tokens,
        "cost_usd": None if cost is None else f"{Decimal(cost).scaleb(-9):f}",
        "score": float(graded.is_right),
    }
