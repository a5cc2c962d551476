"""Answers graded by meaning: the angle between the embeddings of answer and expected text."""

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from trimtab.core.errors import ConfigurationError, TrimtabError
from trimtab.evaluation.case import Case, ScorerSpec
from trimtab.evaluation.scoring.options import Options, spec_of
from trimtab.evaluation.scoring.scorer import Score, ungraded
from trimtab.evaluation.scoring.tfidf import TfIdf
from trimtab.evaluation.scoring.words import fold, words

TFIDF = "tfidf"
"""The embedder that needs no model."""
Embed = Callable[[Sequence[str]], Awaitable[Sequence[Sequence[float]]]]
"""Takes texts and gives a vector of the same length for each."""
BuildEmbed = Callable[[str], Embed]
"""Makes the embedder of a model, named ``provider:model``."""


class EmbeddingSimilarityOptions(Options, frozen=True, kw_only=True):
    """Options of ``embedding_similarity``."""

    embedder: str = TFIDF
    """``tfidf``, or the pool's embedding model as ``provider:model``."""
    floor: float = 0.0
    """Cosine that counts as 0, from 0 to below 1; models put unrelated texts well above 0."""

    def __post_init__(self) -> None:
        if not 0 <= self.floor < 1:
            raise ValueError("floor is a number from 0 to below 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingSimilarity:
    """Grades by cosine."""

    options: EmbeddingSimilarityOptions
    embed: Embed
    version: int = 1
    is_binary: bool = False

    @property
    def spec(self) -> ScorerSpec:
        """Name and options."""
        return spec_of("embedding_similarity", self.options)

    @property
    def meaning(self) -> str:
        """What a score says."""
        above = f", from {self.options.floor:g} up" if self.options.floor else ""
        return f"cosine of both texts' embeddings by {self.options.embedder}{above}; 0 to 1, higher is better"

    async def score(self, case: Case, answer: str) -> Score:
        """Embed both texts; an embedder that fails leaves the answer without a score."""
        if not words(case.expected):
            return Score(value=float(fold(answer) == fold(case.expected)))
        if not words(answer):
            return Score(value=0.0, why="the answer holds no word")
        try:
            wanted, found = await self.embed((case.expected, answer))
        except TrimtabError as exc:
            return ungraded(f"no embedding: {exc.code}")
        except ValueError:
            return ungraded("the embedder gave another number of vectors than texts")
        similarity = cosine(wanted, found)
        if similarity is None:
            return ungraded("the embedder gave vectors that cannot be compared")
        rescaled = (similarity - self.options.floor) / (1 - self.options.floor)
        return Score(value=min(1.0, max(0.0, rescaled)))


def embedding_similarity(
    options: EmbeddingSimilarityOptions, embedders: BuildEmbed | None, texts: Sequence[str]
) -> EmbeddingSimilarity:
    """Return the scorer of an embedder.

    Args:
        options: Which one, and what counts as 0.
        embedders: Makes those of models; ``None`` where none can be asked.
        texts: The collection by which TF-IDF weighs words.

    Raises:
        ConfigurationError: the embedder is a model, and none can be asked or it is not in the pool.
    """
    if options.embedder == TFIDF:
        return EmbeddingSimilarity(options=options, embed=TfIdf.of(texts).embed)
    if embedders is None:
        raise ConfigurationError(
            f"Scorer 'embedding_similarity' asks the model {options.embedder!r}, and none can be asked here.",
            hint=f"The embedder {TFIDF!r} needs no model.",
        )
    return EmbeddingSimilarity(options=options, embed=embedders(options.embedder))


def cosine(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return the cosine of the angle between two vectors to 12 decimals; ``None`` where there is none.

    >>> cosine([3.0, 4.0], [4.0, 3.0])
    0.96
    """
    if len(one) != len(other):
        return None
    lengths = math.hypot(*one) * math.hypot(*other)
    if not 0 < lengths < math.inf:
        return None
    return round(math.fsum(x * y for x, y in zip(one, other, strict=True)) / lengths, 12)
