"""Where judges stand: which ones graded a comparison, and whether a gate may believe them."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from trimtab.evaluation.case import ScorerSpec
from trimtab.evaluation.judging.admission import Admission, AdmissionFloor, admit
from trimtab.evaluation.judging.card import judge_digest_of, load_cards
from trimtab.evaluation.judging.scorers import JUDGES, VERSIONS
from trimtab.evaluation.run_plan import ScorerUse

Admissions = Mapping[str, Admission]
"""By judge, see ``judge_digest_of``. A judge that is not among them is one that nobody measured."""


class JudgeStanding(msgspec.Struct, frozen=True, kw_only=True):
    """A judge that graded, and whether a gate may believe it."""

    judge: ScorerSpec
    judge_digest: str
    admission: Admission


def judges_of(uses: Iterable[ScorerUse]) -> tuple[ScorerUse, ...]:
    """Return the judges among scorers, those inside of others included, each once."""
    found = {use.label: use for scorer in uses for use in _judges_in(scorer)}
    return tuple(found[label] for label in sorted(found))


def standings_of(judges: Iterable[ScorerUse], admissions: Admissions) -> tuple[JudgeStanding, ...]:
    """Return where each judge stands."""
    digests = [(use.spec, judge_digest_of(use.spec, use.version)) for use in judges]
    return tuple(
        JudgeStanding(judge=spec, judge_digest=digest, admission=admissions.get(digest) or admit(None))
        for spec, digest in digests
    )


def kept_admissions(
    folder: Path, judges: Iterable[ScorerUse], *, suite_name: str, floor: AdmissionFloor | None = None
) -> dict[str, Admission]:
    """Decide on judges by their newest cards.

    Args:
        folder: Where cards are kept.
        judges: Which ones.
        suite_name: On whose cases they must have been measured.
        floor: What they must have shown.

    Raises:
        ConfigurationError: a file of cards cannot be read.
    """
    found = {}
    for use in judges:
        digest = judge_digest_of(use.spec, use.version)
        cards = load_cards(folder, judge_digest=digest, suite_name=suite_name)
        found[digest] = admit(cards[-1] if cards else None, floor)
    return found


def _judges_in(use: ScorerUse) -> Iterator[ScorerUse]:
    if use.spec.name in JUDGES:
        yield use
    for value in use.spec.options.values():
        for inner in value if isinstance(value, tuple) else ():
            if isinstance(inner, ScorerSpec):
                yield from _judges_in(ScorerUse(spec=inner, version=VERSIONS.get(inner.name, 1)))
