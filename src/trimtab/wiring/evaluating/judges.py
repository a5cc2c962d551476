"""Scorers of a run. Judges and embedding models among them are asked through the same gateway as those under test."""

from collections.abc import Sequence

from trimtab.catalog import Pool
from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Answer, Embed, Scorer, ScorerSpec, Suite, scorer_for
from trimtab.evaluation.judging import JudgeModel, JudgeQuestion, judge_for
from trimtab.wiring.evaluating.asker import Asker
from trimtab.wiring.evaluating.wire import Sampling


class Bench:
    """Makes scorers. Those that ask a model wait for the gateway, which opens only when a run begins.

    Args:
        pool: Their models.
        suite: Its expected texts are what TF-IDF weighs words by.
    """

    def __init__(self, pool: Pool, suite: Suite) -> None:
        self._pool = pool
        self._texts = [case.expected for case in suite.cases]
        self._asker: Asker | None = None
        self.models: list[str] = []
        """Of the scorers that were made."""

    def open(self, asker: Asker) -> None:
        """Let them ask."""
        self._asker = asker

    def scorer(self, spec: ScorerSpec) -> Scorer:
        """Return the scorer that a suite or an option names.

        Raises:
            ConfigurationError: there is none of that name or with those options.
            UnknownModel: nobody serves its model.
        """
        return scorer_for(
            spec,
            judges=lambda judge: judge_for(judge, self._find),
            embedders=self._embedder,
            texts=self._texts,
        )

    def _embedder(self, name: str) -> Embed:
        card = self._pool.get(name)
        if "embeddings" not in card.capabilities:
            raise ConfigurationError(
                f"Model {card.name!r} makes no embeddings.", hint="`trimtab models list` shows abilities."
            )
        self.models.append(card.name)

        async def embed(texts: Sequence[str]) -> Sequence[Sequence[float]]:
            assert self._asker is not None  # a run opens its gateway before it grades
            return await self._asker.embed(card.name, texts)

        return embed

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
