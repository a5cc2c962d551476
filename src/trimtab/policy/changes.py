"""What changes between two policies: in the file, and in calls already recorded."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from trimtab.policy.constraints import Facts
from trimtab.policy.loading import Policy

Decide = Callable[[Policy, Facts], str | None]
"""A policy and a call's facts to the model it would be sent to, ``None`` for a refusal. Must be pure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One place where two policy files differ."""

    path: str
    """Such as ``workloads.faq.mode``; rules and tests go by their names: ``rules[code-large].then.mode``."""
    before: str | None
    """JSON, ``None`` where there was nothing."""
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedDecision:
    """A recorded call that would go elsewhere."""

    call_id: str
    recorded: str | None
    """The model that served it."""
    before: str | None
    """What the old policy decides from the recorded facts; ``None`` is a refusal."""
    after: str | None


@dataclass(slots=True, kw_only=True)
class DecisionChanges:
    """Which recorded decisions would change."""

    n_calls: int = 0
    n_changed: int = 0
    by_move: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    """Changed calls by model before and after."""
    examples: list[ChangedDecision] = field(default_factory=list)
    """The first of them."""


def diff_policies(old: Policy, new: Policy) -> list[Change]:
    """Return where the two documents differ, in the order of their paths. Comments and key order do not count."""
    before, after = dict(_flat(_document(old), "")), dict(_flat(_document(new), ""))
    return [
        Change(path=path, before=before.get(path), after=after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]


def changed_decisions(
    old: Policy,
    new: Policy,
    cases: Iterable[tuple[str, Facts, str | None]],
    decide: Decide,
    *,
    max_examples: int = 20,
) -> DecisionChanges:
    """Put recorded calls before both policies.

    Args:
        old: The policy in force.
        new: The one that may replace it.
        cases: Call id, facts as recorded, and the model that served the call. Read once, so any number will do.
        decide: Chooses under a policy. Routing lies above this room, so the caller brings it.
        max_examples: Changed calls to keep in full.
    """
    changes = DecisionChanges()
    known: dict[Facts, tuple[str | None, str | None]] = {}
    for call_id, facts, recorded in cases:
        changes.n_calls += 1
        move = known.get(facts)
        if move is None:
            move = known[facts] = (decide(old, facts), decide(new, facts))
        if move[0] == move[1]:
            continue
        changes.n_changed += 1
        changes.by_move[move] += 1
        if len(changes.examples) < max_examples:
            changes.examples.append(ChangedDecision(call_id=call_id, recorded=recorded, before=move[0], after=move[1]))
    return changes


def _document(policy: Policy) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.json.decode(policy.canonical_json)  # JSON as the document model wrote it
    return plain


def _flat(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from _flat(item, f"{path}[{item.get('id') or item.get('name') or index}]")
    else:
        yield path, msgspec.json.encode(value).decode()
