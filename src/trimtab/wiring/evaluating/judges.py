"""Scorers of a run, judges among them: these are asked through the same gateway as the models under test."""

from trimtab.catalog import Pool
from trimtab.evaluation import Answer, Scorer, ScorerSpec, scorer_for
from trimtab.evaluation.judging import JudgeModel, JudgeQuestion, judge_for
from trimtab.wiring.evaluating.asker import Asker
from trimtab.wiring.evaluating.wire import Sampling


class Bench:
    """Makes scorers. Judges among them wait for the gateway, which opens only when a run begins.

    Args:
        pool: Their models.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._asker: Asker | None = None
        self.models: list[str] = []
        """Of the judges that were made."""

    def open(self, asker: Asker) -> None:
        """Let the judges ask."""
        self._asker = asker

    def scorer(self, spec: ScorerSpec) -> Scorer:
        """Return the scorer that a suite or an option names.

        Raises:
            ConfigurationError: there is none of that name or with those options.
            UnknownModel: nobody serves the judge's model.
        """
        return scorer_for(spec, judges=lambda judge: judge_for(judge, self._find))

    def _find(self, name: str) -> JudgeModel:
        card = self._pool.get(name)
        self.models.append(card.name)

        async def ask(question: JudgeQuestion) -> Answer:
            assert self._asker is not None  # a run opens its gateway before it grades
            sampling = Sampling(max_tokens=question.max_output_tokens, is_stream=False)
            schema = question.json_schema
            form = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": schema, "strict": True}}
            more = {} if schema is None else {"response_format": form}
            return await self._asker.ask(card.name, question.messages, sampling, more=more)

        return JudgeModel(
            name=card.name, version=card.version, has_json_schema="json_schema" in card.capabilities, ask=ask
        )
