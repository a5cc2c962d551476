"""Embeddings without a model: words and their parts, weighed by how rare they are in a collection of texts."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from trimtab.evaluation.scoring.words import words

_PART = 3


@dataclass(frozen=True, slots=True)
class TfIdf:
    """Weighs features by frequency in a text and rarity in a collection.

    Source:
        Salton and Buckley, "Term-weighting approaches in automatic text retrieval" (1988); logarithmic frequency, and
        rarity smoothed as if one more text held every feature, which makes it 1 without a collection.
    """

    n_texts: int
    n_texts_with: Mapping[str, int]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "TfIdf":
        """Count a collection."""
        return cls(len(texts), Counter(feature for text in texts for feature in set(_features(text))))

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text, over the features that occur in any of them."""
        counted = [Counter(_features(text)) for text in texts]
        known = sorted(set().union(*counted))
        return [[self._weight(feature, counts[feature]) for feature in known] for counts in counted]

    def _weight(self, feature: str, n_times: int) -> float:
        if n_times == 0:
            return 0.0
        rarity = math.log((1 + self.n_texts) / (1 + self.n_texts_with.get(feature, 0))) + 1
        return (1 + math.log(n_times)) * rarity


def _features(text: str) -> Iterator[str]:
    """Yield each word, and its runs of three characters, ends marked, so that inflected forms are related."""
    for word in words(text):
        yield word
        marked = f" {word} "
        yield from (marked[start : start + _PART] for start in range(len(marked) - _PART + 1))
