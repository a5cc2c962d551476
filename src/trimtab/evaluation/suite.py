"""Suites: fixed questions, and the plan by which answers to them are graded and compared."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import TypeVar

import msgspec

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.case import Case, ScorerSpec

TRAFFIC_TOLERANCE = 1e-3
"""How far the shares of traffic may add up beside 1: people write them with three digits."""


_Stated = TypeVar("_Stated", bound=msgspec.Struct)


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How a suite's runs are graded and compared, fixed before any of them."""

    scorer: ScorerSpec = ScorerSpec(name="exact_match")
    """Of every case that names none itself."""
    margin: float = 0.02
    """Loss that would be accepted, a fraction above 0."""
    alpha: float = 0.05
    """One-sided error of each test, above 0 and below 0.5."""
    protected: tuple[str, ...] | None = None
    """Strata that may each veto; ``None`` for all."""
    traffic: Mapping[str, float] | None = None
    """Share of each stratum in the real traffic, adding up to 1; ``None`` where nobody measured it."""
    judge_floor: float = 0.7
    """What the lower bounds of a judge's TPR and TNR must reach before a gate believes it, above 0.5 and below 1."""


class Suite(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A named set of cases. Two suites with the same digest ask the same.

    Raises:
        ConfigurationError: there is no case, two share an id, one lacks an id, a stratum or a message, or the plan
            asks for what these cases cannot give.
    """

    name: str
    version: str
    cases: tuple[Case, ...]
    plan: Plan = Plan()

    def __post_init__(self) -> None:
        for rule in suite_problems(self.cases, self.plan):
            raise ConfigurationError(f"Suite {self.name!r}: {rule}.", hint="Correct the plan, or add cases.")
        seen: set[str] = set()
        for case in self.cases:
            problem = problem_of(case, seen)
            if problem:
                raise ConfigurationError(f"Suite {self.name!r}: {problem}.", hint="Correct the case.")
            seen.add(case.case_id)

    @cached_property
    def digest(self) -> str:
        """Sha256 of the plan and of the cases in the order of their ids, 64 hexadecimal digits.

        Name and version are labels: a suite that was renamed, or lists its cases in another order, asks the same. So
        does one that states what would hold without a word.
        """
        ordered = sorted(map(_plainly, self.cases), key=lambda case: case.case_id)
        return hashlib.sha256(msgspec.json.encode([_plainly(self.plan), ordered], order="deterministic")).hexdigest()

    @property
    def strata(self) -> tuple[str, ...]:
        """The groups that its cases fall into, by name."""
        return tuple(sorted({case.stratum for case in self.cases}))


def _plainly(stated: _Stated) -> _Stated:
    """Return the same with its defaults left unsaid: msgspec omits a default only where it is the very object."""
    defaults = {
        field.name: field.default
        for field in msgspec.structs.fields(stated)
        if getattr(stated, field.name) == field.default
    }
    return msgspec.structs.replace(stated, **defaults)


def suite_problems(cases: Collection[Case], plan: Plan) -> list[str]:
    """Return what is wrong with a suite as a whole, whatever may be wrong with one of its cases."""
    if not cases:
        return ["the suite has no case"]
    return list(_plan_problems(plan, {case.stratum for case in cases}))


def _plan_problems(plan: Plan, strata: Collection[str]) -> Iterator[str]:
    if not 0 < plan.margin < 1:
        yield f"margin {plan.margin:g} of the plan is not between 0 and 1"
    if not 0 < plan.alpha < 0.5:
        yield f"alpha {plan.alpha:g} of the plan is not between 0 and 0.5"
    if not 0.5 < plan.judge_floor < 1:
        yield f"judge_floor {plan.judge_floor:g} of the plan is not between 0.5, which a coin has, and 1"
    if plan.protected is not None and not plan.protected:
        yield "the plan protects no stratum, so nothing could be gated; leave `protected` out to protect all"
    for stratum in (*(plan.protected or ()), *(plan.traffic or ())):
        if stratum not in strata:
            yield f"the plan names stratum {stratum!r}, which has no case"
    if plan.traffic is not None:
        yield from _traffic_problems(plan.traffic)


def _traffic_problems(traffic: Mapping[str, float]) -> Iterator[str]:
    for stratum, share in traffic.items():
        if not 0 <= share <= 1:
            yield f"the traffic of stratum {stratum!r} is {share:g}, not a share between 0 and 1"
    total = sum(traffic.values())
    if not abs(total - 1) <= TRAFFIC_TOLERANCE:  # so written that NaN fails too
        yield f"the shares of traffic add up to {total:.4g}, not to 1"


def problem_of(case: Case, seen: Collection[str]) -> str | None:
    """Return what is wrong with a case that follows those whose ids were seen, or ``None``."""
    if not case.case_id.strip():
        return "a case has no case_id"
    if case.case_id in seen:
        return f"case_id {case.case_id!r} is used twice"
    if not case.stratum.strip():
        return f"case {case.case_id!r} has no stratum"
    if not case.messages:
        return f"case {case.case_id!r} asks nothing"
    return None
