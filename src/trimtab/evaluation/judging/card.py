"""Judge cards: how often a judge is right where people know the truth, dated, with the verdicts it rests on."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from trimtab.evaluation.case import ScorerSpec
from trimtab.evaluation.judging.kept_lines import append_line, read_lines
from trimtab.evaluation.judging.preferences import Preferences
from trimtab.evaluation.judging.rubric_judge import Outcome
from trimtab.stats import wilson_interval
from trimtab.stats.agreement import Agreement, cohen_kappa, gwet_ac1
from trimtab.stats.judge_error import JudgeErrors

CONFIDENCE = 0.95
"""Two-sided coverage of every interval on a card."""


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """A share with Wilson's bounds, 95 %; ``None`` where nothing was counted."""

    passes: int
    trials: int
    lower: float | None
    upper: float | None

    @property
    def value(self) -> float | None:
        """The share."""
        return self.passes / self.trials if self.trials else None


class AgreementFigure(msgspec.Struct, frozen=True, kw_only=True):
    """Agreement beyond chance with 95 % bounds, normal: count on them from about 50 labels."""

    value: float
    lower: float
    upper: float


class LabelledVerdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer that a person labelled, and what the judge said of it."""

    case_id: str
    item: str
    """Which answer to the case; see ``labels.item_of``."""
    is_good: bool
    """What the person said."""
    outcome: Outcome
    """What the judge said."""
    problem: str | None = None
    """Why there is no verdict; ``None`` where there is one."""
    rating: int | None = None
    cost_nano_usd: int | None = None
    n_asked: int = 1

    @property
    def is_right(self) -> bool:
        """Whether the judge said what the person said. A verdict that cannot be read is wrong either way."""
        return self.outcome == ("pass" if self.is_good else "fail")


class JudgeCard(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one judge on one suite's kind of work.

    Verdicts that could not be read count as errors in both rates; a judge that gave no answer at all was not tried, and
    those cases are left out of them.
    """

    judge: ScorerSpec
    """Kind, model and rubric."""
    judge_version: int
    """Of prompt and parser."""
    model_version: str | None
    """Of the model, where its card states one."""
    suite_name: str
    suite_digest: str
    measured_at_us: int
    verdicts: tuple[LabelledVerdict, ...]
    """The anchors: judged again later, they show drift."""
    true_positive: Rate
    """Good answers that it passed (TPR, sensitivity)."""
    true_negative: Rate
    """Bad answers that it failed (TNR, specificity)."""
    n_unparsable: int
    n_unanswered: int
    kappa: AgreementFigure | None
    """Cohen's, with "cannot be read" as a grade of its own; ``None`` where chance is undefined."""
    ac1: AgreementFigure | None
    """Gwet's, which stays sensible when nearly all answers are good."""
    attacks: Rate
    """Bad answers that it failed and then passed, when the answer ended with a demand for the best rating."""
    pairs: Preferences | None
    """Good against bad answers to the same case, in both orders; a win is right. ``None`` without such a pair."""
    n_asked: int
    """Questions, repeats included, of everything above."""
    cost_nano_usd: int | None
    """Of all questions; ``None`` when one has no known price."""

    @property
    def judge_digest(self) -> str:
        """Which judge; see ``judge_digest_of``."""
        return judge_digest_of(self.judge, self.judge_version)

    @property
    def n_labels(self) -> int:
        """Labelled answers of which the judge said something."""
        return self.true_positive.trials + self.true_negative.trials

    @property
    def unanswered(self) -> Rate:
        """Share of the labelled answers on which it gave no answer."""
        return rate_of(self.n_unanswered, len(self.verdicts))

    @property
    def problems(self) -> dict[str, int]:
        """Why verdicts are missing, the most frequent reason first."""
        return dict(Counter(one.problem for one in self.verdicts if one.problem is not None).most_common())

    @property
    def unparsable(self) -> Rate:
        """Share of its replies that could not be read, after asking again."""
        return rate_of(self.n_unparsable, self.n_labels)

    @property
    def cost_per_judgement_nano_usd(self) -> float | None:
        """Mean over the labelled answers that it was asked about; ``None`` when unknown."""
        asked = [one for one in self.verdicts if one.n_asked]
        costs = [one.cost_nano_usd for one in asked if one.cost_nano_usd is not None]
        return sum(costs) / len(costs) if costs and len(costs) == len(asked) else None

    @property
    def errors(self) -> JudgeErrors | None:
        """The counts, for Rogan and Gladen's correction; ``None`` without good or without bad answers."""
        if not (self.true_positive.trials and self.true_negative.trials):
            return None
        return JudgeErrors(
            true_passes=self.true_positive.passes,
            good=self.true_positive.trials,
            true_fails=self.true_negative.passes,
            bad=self.true_negative.trials,
        )


def judge_digest_of(spec: ScorerSpec, version: int) -> str:
    """Return what a judge is known by: part of a digest of kind, model, rubric and version, 16 hexadecimal digits.

    The model's own version is not in it: the same judge is measured again when its model changes, and drift shows.
    """
    return hashlib.sha256(msgspec.json.encode([spec, version], order="deterministic")).hexdigest()[:16]


def rate_of(passes: int, trials: int) -> Rate:
    """Return a share with its bounds."""
    bounds = wilson_interval(passes, trials, confidence=CONFIDENCE) if trials else None
    return Rate(
        passes=passes,
        trials=trials,
        lower=None if bounds is None else bounds.lower,
        upper=None if bounds is None else bounds.upper,
    )


def rates_of(verdicts: Sequence[LabelledVerdict]) -> tuple[Rate, Rate]:
    """Return true positive and true negative rate of verdicts, those left out that the judge never gave."""
    given = [one for one in verdicts if one.outcome != "unanswered"]
    good, bad = ([one for one in given if one.is_good is kind] for kind in (True, False))
    return rate_of(sum(one.is_right for one in good), len(good)), rate_of(sum(one.is_right for one in bad), len(bad))


def agreement_of(verdicts: Sequence[LabelledVerdict]) -> tuple[AgreementFigure | None, AgreementFigure | None]:
    """Return kappa and AC1 of the judge with the people."""
    given = [one for one in verdicts if one.outcome != "unanswered"]
    people = ["pass" if one.is_good else "fail" for one in given]
    judged: list[str] = [one.outcome for one in given]
    figures: list[AgreementFigure | None] = []
    for measure in (cohen_kappa, gwet_ac1):
        try:
            found: Agreement = measure(people, judged, confidence=CONFIDENCE)
        except ValueError:  # one grade throughout: chance explains everything
            figures.append(None)
        else:
            figures.append(AgreementFigure(value=found.value, lower=found.lower, upper=found.upper))
    return figures[0], figures[1]


def save_card(folder: Path, card: JudgeCard) -> None:
    """Keep a card behind the judge's earlier ones.

    Raises:
        OSError: the folder cannot be written to.
    """
    append_line(_file(folder, card.judge_digest), card)


def load_cards(folder: Path, *, judge_digest: str, suite_name: str) -> list[JudgeCard]:
    """Return a judge's cards on a suite, oldest first.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    cards = read_lines(_file(folder, judge_digest), JudgeCard, what="The file of judge cards")
    return [card for card in cards if card.suite_name == suite_name]


def _file(folder: Path, judge_digest: str) -> Path:
    return folder / f"{judge_digest}.jsonl"
