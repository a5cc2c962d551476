"""What a policy file says that its author cannot have meant."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import combinations

from trimtab.catalog import ModelCard, Pool
from trimtab.core.errors import PolicyInvalid
from trimtab.policy.document import Terms
from trimtab.policy.loading import Policy
from trimtab.policy.matching import closest, is_glob, matching, matching_any
from trimtab.policy.overlap import can_hold
from trimtab.policy.scopes import CompiledRule
from trimtab.policy.yaml_source import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing wrong or doubtful in a policy."""

    code: str
    """Stable, such as ``unreachable-rule``; the reference lists them."""
    where: str
    """``file:line``."""
    message: str
    is_error: bool
    """An error keeps the policy from being put in force; anything else is advice."""
    hint: str = ""


def lint_policy(policy: Policy, pool: Pool | None, *, today: date) -> list[Finding]:
    """Return everything doubtful in a policy, in no particular severity but in the order of the checks.

    Args:
        policy: A policy that could be read. Rules without a name never get this far: reading refuses them.
        pool: The models it may name; ``None`` leaves the checks on models out.
        today: Dates the pins' reviews.
    """
    findings = [*_unreachable(policy), *_overlapping(policy), *_overdue(policy, today)]
    if pool is not None:
        findings += [*_unknown_models(policy, pool), *_single_tier(policy, pool)]
    return findings


def check_references(policy: Policy, pool: Pool) -> None:
    """Refuse a policy that relies on a model outside the pool.

    Raises:
        PolicyInvalid: with file, line and the closest name, for each such model.
    """
    wrong = [finding for finding in _unknown_models(policy, pool) if finding.is_error]
    if wrong:
        lines = "\n".join(f"{finding.where}: {finding.message}" for finding in wrong)
        raise PolicyInvalid(lines, hint=wrong[0].hint)


def _unreachable(policy: Policy) -> Iterator[Finding]:
    for rule in policy.compiled.rules:
        if not can_hold(rule.when):
            yield Finding(
                code="unreachable-rule",
                where=_rule_at(policy, rule),
                message=f"Rule {rule.scope.id!r} can never apply: no call fits `{rule.when}`.",
                is_error=True,
                hint="Correct the condition or remove the rule.",
            )


def _overlapping(policy: Policy) -> Iterator[Finding]:
    for first, second in combinations(policy.compiled.rules, 2):
        term = _disputed(first, second)
        if term is None or not can_hold(first.when, second.when):
            continue
        names = f"{first.scope.id!r} and {second.scope.id!r}"
        if term == "pin":
            message = f"Rules {names} can apply to one call and pin it to different models, which leaves none."
            hint = "Make the conditions exclude each other; every pin holds, whatever the priority."
        else:
            message = (
                f"Rules {names} can apply to one call, set `{term}` differently and have priority {first.priority}."
            )
            hint = "Give the one that should win the higher `priority`."
        yield Finding(
            code="overlapping-rules", where=_rule_at(policy, second), message=message, is_error=True, hint=hint
        )


def _disputed(first: CompiledRule, second: CompiledRule) -> str | None:
    """Return the term whose outcome depends on which rule comes last; every other term folds in any order."""
    a, b = first.scope.terms, second.scope.terms
    if a.pin is not None and b.pin is not None and a.pin.model != b.pin.model:
        return "pin"
    if first.priority != second.priority:
        return None
    for name in ("mode", "preset", "prefer"):
        ours, theirs = getattr(a, name), getattr(b, name)
        if ours is not None and theirs is not None and ours != theirs:
            return name
    return None


def _overdue(policy: Policy, today: date) -> Iterator[Finding]:
    for path, terms in _all_terms(policy):
        pin = terms.pin
        if pin is not None and pin.review_at < today:
            n_days = (today - pin.review_at).days
            yield Finding(
                code="pin-overdue",
                where=policy.lines.at((*path, "pin", "review_at")),
                message=f"The pin on {pin.model} was due for review on {pin.review_at}, {n_days} days ago.",
                is_error=False,
                hint="It still holds. Review it, then move `review_at` or remove the pin.",
            )


def _unknown_models(policy: Policy, pool: Pool) -> Iterator[Finding]:
    for path, pattern in _patterns(policy):
        meant = matching(pattern, pool)
        is_pin = path[-2:] == ("pin", "model")
        if is_pin and len(meant) > 1:
            yield Finding(
                code="ambiguous-pin",
                where=policy.lines.at(path),
                message=f"The pin on {pattern!r} means {len(meant)} models: {', '.join(meant)}.",
                is_error=True,
                hint="Write the full name, `provider:model`.",
            )
        if meant:
            continue
        near = closest(pattern, pool)
        is_open = is_glob(pattern) and not is_pin
        noun = "models" if is_open else "model"
        yield Finding(
            code="unknown-model",
            where=policy.lines.at(path),
            message=f"Policy {policy.name!r} names {noun} {pattern!r}, which no provider serves.",
            is_error=not is_open and path[-2:-1] != ("deny",),
            hint=(f"Closest match: {near!r}. " if near else "") + f"`trimtab models list` shows all {len(pool)}.",
        )


def _single_tier(policy: Policy, pool: Pool) -> Iterator[Finding]:
    """A list of one model, or of one class of models, leaves nothing to route between."""
    classes = {card.model_class for card in pool}
    for path, terms in _all_terms(policy):
        patterns = (terms.models and terms.models.allow) or ()
        cards = [pool.cards[name] for name in matching_any(patterns, pool)]
        said = _sameness(cards, n_classes=len(classes))
        if said is not None:
            yield Finding(
                code="one-tier-list",
                where=policy.lines.at((*path, "models", "allow")),
                message=f"`allow` has one tier only: {said}, so there is nothing to route between.",
                is_error=False,
                hint="Add a model of another class, or write a `pin` with its review date if one model is meant.",
            )


def _sameness(cards: list[ModelCard], *, n_classes: int) -> str | None:
    if len(cards) == 1:
        return f"{cards[0].name} alone"
    classes = {card.model_class for card in cards}
    if len(classes) == 1 and n_classes > 1 and "unknown" not in classes:
        return f"all {len(cards)} models are of class {classes.pop()}"
    return None


def _rule_at(policy: Policy, rule: CompiledRule) -> str:
    ids = [declared.id for declared in policy.document.rules]
    return policy.lines.at(("rules", ids.index(rule.scope.id)))


def _all_terms(policy: Policy) -> Iterator[tuple[Path, Terms]]:
    document = policy.document
    if document.organisation is not None:
        yield ("organisation",), document.organisation
    yield from ((("apps", name), terms) for name, terms in document.apps.items())
    yield from ((("workloads", name), terms) for name, terms in document.workloads.items())
    yield from ((("rules", index, "then"), rule.then) for index, rule in enumerate(document.rules))


def _patterns(policy: Policy) -> Iterator[tuple[Path, str]]:
    for path, terms in _all_terms(policy):
        named: dict[Path, list[str]] = {("prefer",): terms.prefer or []}
        if terms.models is not None:
            named["models", "allow"] = terms.models.allow or []
            named["models", "deny"] = terms.models.deny or []
        for keys, patterns in named.items():
            yield from (((*path, *keys, index), pattern) for index, pattern in enumerate(patterns))
        if terms.pin is not None:
            yield (*path, "pin", "model"), terms.pin.model
