"""Run the examples that a policy file carries."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trimtab.catalog import Pool
from trimtab.core import STRICTEST, Sensitivity
from trimtab.policy.constraints import Constraints, Facts
from trimtab.policy.document import Expectation, PolicyTest, level
from trimtab.policy.fields import FIELDS
from trimtab.policy.loading import Policy
from trimtab.policy.matching import closest, matching


@dataclass(frozen=True, slots=True, kw_only=True)
class TestOutcome:
    """How one example fared."""

    __test__ = False  # not a test case, whatever its name

    name: str
    where: str
    """``file:line``."""
    passed: bool
    message: str
    """What came out otherwise than expected; empty when passed."""


def run_policy_tests(policy: Policy, pool: Pool) -> list[TestOutcome]:
    """Return the outcome of each of the policy's own tests, in file order."""
    outcomes = []
    for index, test in enumerate(policy.document.tests):
        constraints = policy.resolve(_facts(test, policy), pool)
        wrong = list(_differences(test.expect, constraints, pool))
        outcomes.append(
            TestOutcome(
                name=test.name,
                where=policy.lines.at(("tests", index)),
                passed=not wrong,
                message=" ".join(wrong),
            )
        )
    return outcomes


def _facts(test: PolicyTest, policy: Policy) -> Facts:
    given: dict[str, Any] = {  # the fields of Facts, each of its own type
        name: value for name in FIELDS if (value := getattr(test.facts, name)) is not None
    }
    if "sensitivity" in given:
        given["sensitivity"] = int(level(given["sensitivity"]))
    else:
        plain = Facts()
        declared = policy.label_for(given.get("app", plain.app), given.get("workload", plain.workload))
        given["sensitivity"] = int(STRICTEST) if declared is None else declared
    return Facts(**given)


def _differences(expect: Expectation, got: Constraints, pool: Pool) -> Iterator[str]:
    for pattern in expect.model_allowed or []:
        yield from _unless_allowed(pattern, got, pool)
    for pattern in expect.model_denied or []:
        for name in _meant(pattern, pool):
            if name in got.allowed:
                yield f"{name} is allowed and should not be."
    if expect.allowed is not None:
        wanted = {name for pattern in expect.allowed for name in _meant(pattern, pool)}
        if wanted != set(got.allowed):
            yield f"Allowed are {_listed(got.allowed)}, expected {_listed(sorted(wanted))}."
    if expect.refused is not None and expect.refused != (not got.allowed):
        yield f"The call is {'allowed ' + _listed(got.allowed) if got.allowed else 'refused'}."
    for rule_id in expect.rule or []:
        if rule_id not in got.rule_ids:
            yield f"Rule {rule_id} did not apply; {_listed(got.rule_ids)} did{_leaf(rule_id, got)}."
    yield from _words(expect, got)


def _words(expect: Expectation, got: Constraints) -> Iterator[str]:
    words = {
        "mode": (expect.mode, got.mode),
        "preset": (expect.preset, got.preset),
        "sensitivity": (expect.sensitivity, Sensitivity(got.sensitivity).label),
        "store": (expect.store, got.store),
    }
    for name, (wanted, came) in words.items():
        if wanted is not None and wanted != came:
            yield f"{name} is {came}, expected {wanted}."


def _unless_allowed(pattern: str, got: Constraints, pool: Pool) -> Iterator[str]:
    meant = _meant(pattern, pool)
    if meant == (pattern,) and pattern not in pool.cards:
        near = closest(pattern, pool)
        yield f"{pattern} is not in the pool" + (f"; closest is {near}." if near else ".")
        return
    because = {removal.model: removal for removal in got.removed}
    for name in meant:
        if name not in got.allowed:
            yield f"{name} is not allowed: {because[name].reason}"


def _meant(pattern: str, pool: Pool) -> tuple[str, ...]:
    return matching(pattern, pool) or (pattern,)


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names) or "none"


def _leaf(rule_id: str, got: Constraints) -> str:
    leaves = [trace.leaf for trace in got.trace if trace.rule_id == rule_id]
    return f" ({leaves[0]})" if leaves else ""
