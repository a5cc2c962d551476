"""Answers that must hold certain words: those that the case lists, or those that a regular expression finds."""

from typing import TYPE_CHECKING, Literal

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.case import Case
from trimtab.evaluation.scoring.options import Options, spec_of
from trimtab.evaluation.scoring.patterns import PatternInvalid, compiled
from trimtab.evaluation.scoring.scorer import RuleScorer, Score, right_if, ungraded
from trimtab.evaluation.scoring.words import fold, is_in

if TYPE_CHECKING:
    import re2


class ContainsOptions(Options, frozen=True, kw_only=True):
    """Options of ``contains``."""

    require: Literal["all", "any"] = "all"
    """Whether every line of the expected text must occur, or one is enough."""
    ignore_case: bool = True
    """Compare with case, spacing and Unicode forms folded."""
    whole_words: bool = False
    """Count a text only where it is no part of a longer word."""


class RegexOptions(Options, frozen=True, kw_only=True):
    """Options of ``regex``."""

    pattern: str | None = None
    """Of every case; ``None`` for each case's expected text."""
    ignore_case: bool = False
    full: bool = False
    """Whether the whole answer must match, white space around it aside, and not only a part of it."""


def contains(options: ContainsOptions) -> RuleScorer:
    """Return the scorer that looks for the lines of the expected text."""

    def rule(case: Case, answer: str) -> Score:
        wanted = [line.strip() for line in case.expected.splitlines() if line.strip()]
        if not wanted:
            return ungraded("the case lists nothing that the answer should contain")
        text = fold(answer) if options.ignore_case else answer
        missing = [
            line
            for line in wanted
            if not is_in(fold(line) if options.ignore_case else line, text, whole_words=options.whole_words)
        ]
        enough = len(missing) < len(wanted) if options.require == "any" else not missing
        return right_if(enough, f"missing: {', '.join(missing)}")

    what = "every line" if options.require == "all" else "at least one line"
    return RuleScorer(
        spec=spec_of("contains", options),
        meaning=f"1 when the answer contains {what} of the expected text, otherwise 0; higher is better",
        rule=rule,
        is_binary=True,
    )


def regex(options: RegexOptions) -> RuleScorer:
    """Return the scorer that searches with RE2, whose time grows with the answer's length only.

    Raises:
        ConfigurationError: the pattern is none that RE2 reads.
    """
    fixed = None if options.pattern is None else _fixed(options.pattern, options.ignore_case)

    def rule(case: Case, answer: str) -> Score:
        try:
            pattern = fixed or compiled(case.expected, ignore_case=options.ignore_case)
        except PatternInvalid as exc:
            return ungraded(str(exc))
        text = answer.encode("utf-8", "replace")
        found = pattern.fullmatch(text.strip()) if options.full else pattern.search(text)
        return right_if(found is not None, f"nothing matches {options.pattern or case.expected}")

    what = "the whole answer matches" if options.full else "a part of the answer matches"
    return RuleScorer(
        spec=spec_of("regex", options),
        meaning=f"1 when {what} the regular expression, otherwise 0; higher is better",
        rule=rule,
        is_binary=True,
    )


def _fixed(source: str, ignore_case: bool) -> "re2._Regexp":
    try:
        return compiled(source, ignore_case=ignore_case)
    except PatternInvalid as exc:
        raise ConfigurationError(
            f"Scorer 'regex' cannot use its option 'pattern': {exc}.", hint="RE2 has no look-around and no \\1."
        ) from exc
