"""A policy bound to a pool: from facts to constraints, with every removal and every rule accounted for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast, get_args

import msgspec

from trimtab.catalog import Pool
from trimtab.policy import folding
from trimtab.policy.builtins import BUILTINS, POLICY_TIER, unless_approved, unless_inside
from trimtab.policy.constraints import Constraints, Facts, Mode, Removal, RuleTrace
from trimtab.policy.document import Document
from trimtab.policy.matching import matching_any
from trimtab.policy.scopes import (
    DEFAULT,
    REQUESTED,
    REQUESTED_MODE,
    CompiledRule,
    Scope,
    removals_of,
)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A document with its rules compiled, the widest scope first and rules by rising priority."""

    document: Document
    organisation: Scope | None
    apps: Mapping[str, Scope]
    workloads: Mapping[str, Scope]
    rules: tuple[CompiledRule, ...]

    def scopes_of(self, app: str, workload: str) -> list[Scope]:
        """Return the declared scopes of an app's workload, widest first."""
        found = (self.organisation, self.apps.get(app), self.workloads.get(workload))
        return [scope for scope in found if scope is not None]

    def all_scopes(self) -> list[Scope]:
        """Return every scope and rule of the document."""
        declared = [*self.apps.values(), *self.workloads.values(), *(rule.scope for rule in self.rules)]
        return [self.organisation, *declared] if self.organisation is not None else declared

    def apply_rules(self, facts: Facts, scopes: Sequence[Scope]) -> tuple[list[Scope], dict[str, RuleTrace], int]:
        """Return the matching rules' scopes, each rule's trace and the sensitivity that results.

        A rule may raise the sensitivity that other rules test. A rule applies when it matches at *any* level between
        the call's own and the raised one, so raising a label can never take a restriction off.
        """
        trace: dict[str, RuleTrace] = {}
        matched: set[str] = set()
        at = folding.sensitivity_of(facts.sensitivity, ())
        level = folding.sensitivity_of(facts.sensitivity, scopes)
        while True:
            seen = facts if at == facts.sensitivity else msgspec.structs.replace(facts, sensitivity=at)
            for rule in self.rules:
                rule_id = rule.scope.id
                if rule_id in matched:
                    continue
                holds, leaf = rule.test(seen)
                trace[rule_id] = RuleTrace(rule_id=rule_id, matched=holds, leaf=leaf)
                if holds:
                    matched.add(rule_id)
                    level = folding.sensitivity_of(level, (rule.scope,))
            if at >= level:
                break
            at += 1
        return [rule.scope for rule in self.rules if rule.scope.id in matched], trace, level


class BoundPolicy:
    """What each scope does to each model of one pool, worked out once."""

    def __init__(self, compiled: Compiled, pool: Pool, *, name: str, version: str) -> None:
        self._compiled = compiled
        self._pool = pool
        self._name, self._version = name, version
        self._removals = {scope.id: removals_of(scope, pool) for scope in compiled.all_scopes()}
        self._outside = [removal for card in pool if (removal := unless_inside(card)) is not None]
        self._unapproved = [removal for card in pool if (removal := unless_approved(card)) is not None]

    def resolve(self, facts: Facts) -> Constraints:
        """Return the constraints for one call; the same facts give the same constraints."""
        declared = self._compiled.scopes_of(facts.app, facts.workload)
        ruled, traced, sensitivity = self._compiled.apply_rules(facts, declared)
        scopes = [*declared, *ruled]
        trace = [traced[rule.scope.id] for rule in self._compiled.rules]
        applied = [scope.id for scope in reversed(scopes)]
        mode = folding.mode_of(scopes)
        if facts.requested_mode is not None:
            mode, note = _asked_mode(facts.requested_mode, mode)
            trace.append(note)
            if note.matched:
                applied.insert(0, REQUESTED_MODE)
        requested = _requested(facts, self._pool)
        is_hint = requested is not None and folding.is_hint(scopes)
        if requested is not None:
            applied.insert(0, REQUESTED)
        removed = self._removed(scopes, sensitivity, mode)
        if requested is not None and not is_hint:
            _remove_others(removed, self._pool, requested, facts.requested_model)
        applied += sorted(BUILTINS & {removal.rule_id for removal in removed.values()})
        allowed = tuple(name for name in self._pool.cards if name not in removed)
        preferred = matching_any(folding.last(folding.said(scopes, lambda terms: terms.prefer)) or (), self._pool)
        if is_hint and requested is not None:
            preferred = tuple(dict.fromkeys((*requested, *preferred)))
        return Constraints(
            policy_id=self._name,
            policy_version=self._version,
            allowed=allowed,
            removed=tuple(removed.values()),
            rule_ids=tuple(applied) or (DEFAULT,),
            trace=tuple(trace),
            mode=mode,
            preset=folding.preset_of(scopes),
            pin=folding.pin_of(scopes),
            prefer=tuple(name for name in preferred if name not in removed),
            quality_bar=folding.highest(folding.said(scopes, lambda terms: terms.quality_bar)),
            latency=folding.latency_of(scopes),
            budgets=folding.budgets_of(scopes),
            energy_wh_per_call=folding.lowest(folding.said(scopes, lambda terms: terms.energy_wh_per_call)),
            sensitivity=sensitivity,
            store=folding.store_of(scopes),
            max_output_tokens=folding.lowest(folding.said(scopes, lambda terms: terms.max_output_tokens)),
            max_choices=folding.lowest(folding.said(scopes, lambda terms: terms.max_choices)),
        )

    def _removed(self, scopes: Sequence[Scope], sensitivity: int, mode: Mode) -> dict[str, Removal]:
        """Return the first removal of each model: built-in checks, then the scopes from wide to narrow."""
        removed: dict[str, Removal] = {}
        groups: list[Sequence[Removal]] = [self._removals[scope.id] for scope in scopes]
        if mode == "regulated":
            groups.insert(0, self._unapproved)
        if sensitivity >= 3:
            groups.insert(0, self._outside)
        for group in groups:
            for removal in group:
                removed.setdefault(removal.model, removal)
        return removed


def _asked_mode(asked: str, mode: Mode) -> tuple[Mode, RuleTrace]:
    wanted = cast(Mode, asked)  # an unknown word is in no table and is refused below
    if asked in get_args(Mode) and folding.may_ask_for(wanted, mode):
        return wanted, RuleTrace(rule_id=REQUESTED_MODE, matched=True, leaf=f"requested_mode is {asked}")
    leaf = f"requested_mode is {asked}, and a call may only narrow the policy's {mode}"
    return mode, RuleTrace(rule_id=REQUESTED_MODE, matched=False, leaf=leaf)


def _requested(facts: Facts, pool: Pool) -> tuple[str, ...] | None:
    """Return the model the call names, as a tuple of at most one; ``None`` when it leaves the choice open."""
    if facts.requested_model == "auto":
        return None
    card = pool.find(facts.requested_model)
    return (card.name,) if card is not None else ()


def _remove_others(removed: dict[str, Removal], pool: Pool, kept: Sequence[str], asked: str) -> None:
    for name in pool.cards:
        if name not in kept:
            reason = f"The call asks for {asked} and nothing else."
            removed.setdefault(name, Removal(model=name, tier=POLICY_TIER, rule_id=REQUESTED, reason=reason))
