"""Send recorded prompts through other policies and read off what the chosen models really did with them."""

from collections.abc import Callable, Iterable, Mapping

from trimtab.catalog import Pool, PriceBook
from trimtab.core import US_PER_DAY, Usage, day_of
from trimtab.policy import Constraints, Facts
from trimtab.replay.outcomes import PromptOutcomes
from trimtab.replay.results import Answer, Simulation, Tally
from trimtab.routing import NOTHING_MEASURED, Measure, decide_afresh

Resolve = Callable[[Facts, Pool], Constraints]
"""A policy's word on a call: the ``resolve`` of a ``trimtab.policy.Policy``."""


def simulate(
    policies: Mapping[str, Resolve],
    prompts: Iterable[PromptOutcomes],
    pool: Pool,
    prices: PriceBook,
    *,
    measure: Measure = lambda workload, model: NOTHING_MEASURED,
) -> Simulation:
    """Return what each policy, each single model and the record itself cost and achieved on the same prompts.

    The chosen model's own outcome counts where there is one. Where there is none the cost is worked out from the
    recorded token counts at the prices of the day, and the quality stays unknown and is counted as that. Period
    budgets are not simulated: whether one is used up depends on traffic outside the sample.

    Args:
        policies: By the name to report them under.
        prompts: Read once, in one pass.
        pool: Who could have answered.
        prices: For decisions, and for outcomes without a cost.
        measure: Evidence to decide with. Taken from the same prompts it flatters every policy that uses it.
    """
    ways = [_PolicyWay(resolve, pool, prices, measure) for resolve in policies.values()]
    of_policies = [Tally(name, "policy") for name in policies]
    of_singles = {name: Tally(name, "single") for name in pool.cards}
    recorded = Tally("recorded", "recorded")
    n_calls = 0
    for prompt in prompts:
        n_calls += 1
        answers = _Answers(prompt, pool, prices)
        base_model = prompt.baseline_model
        base = answers[base_model] if base_model is not None else None
        if base_model is not None and base is not None:
            recorded.add(base_model, base, base_model, base)
        for name, tally in of_singles.items():
            tally.add(name, answers[name], base_model, base)
        for way, tally in zip(ways, of_policies, strict=True):
            model = way.choose(prompt)
            if model is None:
                tally.refuse(base_model)
            else:
                tally.add(model, answers[model], base_model, base)
    return Simulation(
        recorded=recorded.result(),
        policies=tuple(tally.result() for tally in of_policies),
        singles=tuple(tally.result() for tally in of_singles.values()),
        n_calls=n_calls,
    )


class _PolicyWay:
    """Decides as the gateway would; equal facts on one day share a decision."""

    def __init__(self, resolve: Resolve, pool: Pool, prices: PriceBook, measure: Measure) -> None:
        self._resolve, self._pool, self._prices, self._measure = resolve, pool, prices, measure
        self._memo: dict[tuple[Facts, int], str | None] = {}

    def choose(self, prompt: PromptOutcomes) -> str | None:
        key = (prompt.facts, day_of(prompt.at_us))
        try:
            return self._memo[key]
        except KeyError:
            model = self._memo[key] = self._decide(prompt.facts, key[1] * US_PER_DAY)
            return model

    def _decide(self, facts: Facts, at_us: int) -> str | None:
        constraints = self._resolve(facts, self._pool)
        return decide_afresh(facts, constraints, self._pool, self._prices, at_us=at_us, measure=self._measure).model


class _Answers(dict[str, Answer]):
    """Each model's answer to one prompt, worked out when it is first asked for."""

    def __init__(self, prompt: PromptOutcomes, pool: Pool, prices: PriceBook) -> None:
        super().__init__()
        self._prompt, self._pool, self._prices = prompt, pool, prices

    def __missing__(self, model: str) -> Answer:
        outcome = self._prompt.outcomes.get(model)
        if outcome is None:
            answer: Answer = (self._priced(model, *self._recorded_tokens()), True, None, None)
        elif outcome.cost_nano_usd is None:
            cost = self._priced(model, outcome.input_tokens, outcome.output_tokens)
            answer = (cost, True, outcome.quality_fraction, outcome.latency_ms)
        else:
            answer = (outcome.cost_nano_usd, False, outcome.quality_fraction, outcome.latency_ms)
        self[model] = answer
        return answer

    def _recorded_tokens(self) -> tuple[int | None, int | None]:
        """Return the tokens of the recorded answer, the nearest thing to an answer that was never given."""
        baseline = self._prompt.outcomes.get(self._prompt.baseline_model or "")
        return (None, None) if baseline is None else (baseline.input_tokens, baseline.output_tokens)

    def _priced(self, model: str, input_tokens: int | None, output_tokens: int | None) -> int | None:
        card = self._pool.cards.get(model)
        if card is None:
            return None
        usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
        return self._prices.cost(card, usage, self._prompt.at_us).nano_usd
