"""Answers graded by how much of the expected text they share: words, runs of letters, order, edits."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from trimtab.evaluation.case import Case
from trimtab.evaluation.scoring.needed import load
from trimtab.evaluation.scoring.options import Options, spec_of
from trimtab.evaluation.scoring.scorer import RuleScorer, Score
from trimtab.evaluation.scoring.words import fold, normalise, tokens, words


class TokenF1Options(Options, frozen=True, kw_only=True):
    """Options of ``token_f1``."""

    ignore: tuple[str, ...] = ()
    """Words that do not count, such as a, an, the, which SQuAD leaves out."""


class ChrfOptions(Options, frozen=True, kw_only=True):
    """Options of ``chrf``."""

    beta: float = 2.0
    """How many times recall weighs as much as precision, above 0; 2 as in chrF2."""
    char_order: int = 6
    """Longest run of characters, 1 to 10."""
    word_order: int = 0
    """Longest run of words, 0 to 4; 2 makes it chrF++."""

    def __post_init__(self) -> None:
        if not (0 < self.beta < 100 and 1 <= self.char_order <= 10 and 0 <= self.word_order <= 4):
            raise ValueError("beta is above 0, char_order 1 to 10, word_order 0 to 4")


class RougeLOptions(Options, frozen=True, kw_only=True):
    """Options of ``rouge_l``."""

    beta: float = 1.0
    """How many times recall weighs as much as precision, above 0."""

    def __post_init__(self) -> None:
        if not 0 < self.beta < 100:
            raise ValueError("beta is above 0")


class EditSimilarityOptions(Options, frozen=True, kw_only=True):
    """Options of ``edit_similarity``."""

    normalise: bool = True
    """Whether case, spacing, quotes and closing points are evened out first."""


def f_measure(shared: float, n_found: float, n_wanted: float, *, beta: float = 1.0) -> float:
    """Return the weighted harmonic mean of precision (shared of found) and recall (shared of wanted).

    Source:
        van Rijsbergen, "Information Retrieval", 2nd ed. (1979), chapter 7; beta above 1 favours recall.
    """
    weight = beta * beta
    return (1 + weight) * shared / (weight * n_wanted + n_found) if shared else 0.0


def token_f1(options: TokenF1Options) -> RuleScorer:
    """Return the scorer that compares bags of words."""
    ignored = frozenset(map(normalise, options.ignore))

    def grade(expected: str, answer: str) -> float:
        wanted = Counter(word for word in tokens(expected) if word not in ignored)
        found = Counter(word for word in tokens(answer) if word not in ignored)
        return f_measure((wanted & found).total(), found.total(), wanted.total())

    return _graded(
        spec_name="token_f1",
        options=options,
        meaning="F1 of the words that answer and expected text share, in any order; 0 to 1, higher is better",
        grade=grade,
        reads=lambda text: bool([word for word in tokens(text) if word not in ignored]),
    )


def chrf(options: ChrfOptions) -> RuleScorer:
    """Return the scorer that compares runs of characters, as sacrebleu counts them.

    Raises:
        ConfigurationError: sacrebleu is not installed.

    Source:
        Popovic, "chrF: character n-gram F-score for automatic MT evaluation", WMT (2015), 392-395.
    """
    chrf_class = load("sacrebleu.metrics.chrf", scorer="chrf").CHRF
    metric: Any = chrf_class(
        char_order=options.char_order, word_order=options.word_order, beta=options.beta
    )  # Any: loaded late

    def grade(expected: str, answer: str) -> float:
        return float(metric.sentence_score(answer, [expected]).score) / 100

    return _graded(
        spec_name="chrf",
        options=options,
        meaning=f"chrF{options.beta:g}, F-score of the character runs that both texts share; 0 to 1, higher is better",
        grade=grade,
        reads=lambda text: bool(text.strip()),
    )


def rouge_l(options: RougeLOptions) -> RuleScorer:
    """Return the scorer that compares the words that occur in the same order.

    Raises:
        ConfigurationError: rapidfuzz is not installed.

    Source:
        Lin, "ROUGE: a package for automatic evaluation of summaries", ACL workshop (2004), 74-81, section 3.1.
    """
    longest: Callable[[Sequence[str], Sequence[str]], int] = load(
        "rapidfuzz.distance", scorer="rouge_l"
    ).LCSseq.similarity

    def grade(expected: str, answer: str) -> float:
        wanted, found = words(expected), words(answer)
        return f_measure(longest(wanted, found), len(found), len(wanted), beta=options.beta)

    return _graded(
        spec_name="rouge_l",
        options=options,
        meaning="ROUGE-L, F-measure of the longest sequence of words that both share; 0 to 1, higher is better",
        grade=grade,
        reads=lambda text: bool(words(text)),
    )


def edit_similarity(options: EditSimilarityOptions) -> RuleScorer:
    """Return the scorer that counts the characters to change.

    Raises:
        ConfigurationError: rapidfuzz is not installed.

    Source:
        Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals" (1966).
    """
    similarity: Callable[[str, str], float] = load(
        "rapidfuzz.distance", scorer="edit_similarity"
    ).Levenshtein.normalized_similarity
    form = normalise if options.normalise else str

    return _graded(
        spec_name="edit_similarity",
        options=options,
        meaning="1 less the edits that make one text the other, per character of the longer; 0 to 1, higher is better",
        grade=lambda expected, answer: similarity(form(expected), form(answer)),
        reads=lambda text: bool(form(text)),
    )


def _graded(
    *,
    spec_name: str,
    options: Options,
    meaning: str,
    grade: Callable[[str, str], float],
    reads: Callable[[str], bool],
) -> RuleScorer:
    """Return the scorer of such a grade; where the expected text has nothing to share, only the same text is right."""

    def rule(case: Case, answer: str) -> Score:
        if not reads(case.expected):
            return Score(value=float(fold(answer) == fold(case.expected)))
        return Score(value=min(1.0, grade(case.expected, answer)))

    return RuleScorer(spec=spec_of(spec_name, options), meaning=meaning, rule=rule, is_binary=False)
