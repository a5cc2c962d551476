"""Multiple choice: the one option that an answer settles on."""

import re
from collections.abc import Mapping, Set

from trimtab.evaluation.case import Case
from trimtab.evaluation.scoring.options import Options, spec_of
from trimtab.evaluation.scoring.scorer import RuleScorer, Score, ungraded
from trimtab.evaluation.scoring.words import normalise, words

_LISTED = re.compile(r"^\s{0,8}[(\[]?([A-Z])[)\].:][ \t]+(\S.*)$", re.MULTILINE)
_BARE = re.compile(r"\W*([A-Za-z])\W*")
_OPEN = r"[\s\"'*_`(\[{$\\]{0,6}(?:text\{|mathrm\{)?[(\[]?"
_CONCLUSION = re.compile(
    r"(?:\\boxed\{|\b(?:answer|choice|option|choose|pick|select)\b(?:\s+(?:is|would be|should be|must be|option))?"
    r"\s{0,3}[:=]?)" + _OPEN + r"([A-Za-z])(?![\w'\u2019])",
    re.IGNORECASE,
)
_VERDICT = re.compile(r"(?<![\w'])([A-Z])[)\]*_.]{0,4}\s+is\s+(?:the\s+)?(?:correct|right|best)\b")
_MORE = re.compile(
    r"[)\]}*_\"'.]{0,4}\s{0,2}(?:,|/|&|\bor\b|\band\b)\s{0,2}(?:\bor\b|\band\b)?\s?[(\[*\"']{0,3}([A-Z])\b(?!['\u2019])"
)
_MARKED = re.compile(r"(?:^\s*|[(\[*])([A-Z])(?:[)\]*:]|\.(?=\s|$))", re.MULTILINE)
_ALONE = re.compile(r"(?<![\w'\u2019-])([A-Z])(?![\w'\u2019-])")


class MultipleChoiceOptions(Options, frozen=True, kw_only=True):
    """Options of ``multiple_choice``."""

    letters: str = "ABCDEFGHIJ"
    """The labels that exist where the case's last message lists no choices."""

    def __post_init__(self) -> None:
        if not re.fullmatch("[A-Z]+", self.letters):
            raise ValueError("letters are capitals from A to Z, at least one")


def multiple_choice(options: MultipleChoiceOptions) -> RuleScorer:
    """Return the scorer that finds the choice an answer ends with."""

    def rule(case: Case, answer: str) -> Score:
        choices = listed(case) or dict.fromkeys(options.letters, "")
        expected = settled(case.expected, choices)
        if len(expected) != 1:
            return ungraded(f"the case expects {case.expected!r}, which is none of the choices {', '.join(choices)}")
        found = settled(answer, choices)
        if len(found) == 1:
            is_right = found == expected
            return Score(value=float(is_right), why=None if is_right else f"settles on {min(found)}")
        return Score(value=0.0, why=f"ambiguous: {', '.join(sorted(found))}" if found else "settles on no choice")

    return RuleScorer(
        spec=spec_of("multiple_choice", options),
        meaning="1 when the answer settles on the expected choice and on no other, otherwise 0; higher is better",
        rule=rule,
        is_binary=True,
    )


def listed(case: Case) -> dict[str, str]:
    """Return the choices that the case's last message lists, by letter, at least two; else nothing."""
    found = {letter: normalise(text) for letter, text in _LISTED.findall(case.messages[-1].content)}
    return found if len(found) > 1 else {}


def settled(answer: str, choices: Mapping[str, str]) -> Set[str]:
    """Return the letters that the strongest evidence in an answer names.

    In this order: the answer is a letter; it is the text of a choice; it concludes ("the answer is C"), the last
    conclusion counting; it marks letters ("C) ..."); letters stand alone; texts of choices occur.
    """
    bare = _BARE.fullmatch(answer)
    if bare:
        return {bare[1].upper()} & choices.keys()
    same = {letter for letter, text in choices.items() if text and normalise(answer) == text}
    return (
        same
        or _concluded(answer) & choices.keys()
        or set(_MARKED.findall(answer)) & choices.keys()
        or _alone(answer) & choices.keys()
        or _quoted(answer, choices)
    )


def _concluded(answer: str) -> Set[str]:
    found = [match for match in _CONCLUSION.finditer(answer) if _is_label(match, answer)]
    last = max([*found, *_VERDICT.finditer(answer)], key=lambda match: match.end(1), default=None)
    if last is None:
        return set()
    letters, end = {last[1].upper()}, last.end(1)
    while more := _MORE.match(answer, end):
        letters.add(more[1])
        end = more.end(1)
    return letters


def _is_label(match: re.Match[str], answer: str) -> bool:
    """Return whether the letter is meant: a small one that goes on to a word is an article."""
    return match[1].isupper() or not re.match(r"\s+\w", answer[match.end(1) : match.end(1) + 8])


def _alone(answer: str) -> Set[str]:
    """Return capitals that stand by themselves, without the words A and I."""
    return {
        match[1]
        for match in _ALONE.finditer(answer)
        if match[1] not in "AI" or not re.match(r"\s+[a-z]", answer[match.end(1) : match.end(1) + 8])
    }


def _quoted(answer: str, choices: Mapping[str, str]) -> Set[str]:
    said = f" {' '.join(words(answer))} "
    texts = {letter: f" {' '.join(words(text))} " for letter, text in choices.items() if words(text)}
    found = {letter: text for letter, text in texts.items() if text in said}
    longer = {letter for letter, text in found.items() for other in found.values() if text != other and text in other}
    return found.keys() - longer
