"""Whose money a call spends: the scopes its cost is booked to."""

from collections import OrderedDict
from collections.abc import Callable

import msgspec

from trimtab.core import CallRecord, month_start
from trimtab.store.rows import clean

_REMEMBERED = 4096


class _Rules(msgspec.Struct):
    """The one field of a decision that booking reads."""

    rule_ids: tuple[str, ...] = ()

    def named(self) -> tuple[str, ...]:
        """Return the policy's own rules; built-in ones and scopes have a colon in their id and no budget as rules."""
        return tuple(rule_id for rule_id in self.rule_ids if ":" not in rule_id)


class RuleIds:
    """The rule ids of decisions, by digest; the last few thousand stay in memory."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def learn(self, digest: str, decision: bytes) -> tuple[str, ...]:
        """Remember a decision that passes by, and return its rules."""
        try:
            return self._keep(digest, msgspec.json.decode(decision, type=_Rules).named())
        except msgspec.DecodeError:
            return self._keep(digest, ())

    def of(self, call: CallRecord, load: Callable[[str], bytes | None]) -> tuple[str, ...]:
        """Return the call's rule ids; ``load`` fetches a decision that is not in memory."""
        digest = call.decision_digest
        if digest is None:
            return ()
        known = self._known.get(digest)
        if known is not None:
            return known
        decision = load(digest)
        if decision is None:  # only the rule that settled it is known, from the row
            return self._keep(digest, () if call.rule_id is None else _Rules((call.rule_id,)).named())
        return self.learn(digest, decision)

    def _keep(self, digest: str, rule_ids: tuple[str, ...]) -> tuple[str, ...]:
        self._known[digest] = rule_ids
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return rule_ids


def scopes_of(call: CallRecord, rule_ids: tuple[str, ...]) -> list[str]:
    """Return every scope whose budget the call counts against."""
    scopes = ["organisation", f"app:{clean(call.app)}", f"workload:{clean(call.workload)}"]
    if call.key_id is not None:
        scopes.append(f"key:{call.key_id}")
    scopes.extend(f"rule:{rule_id}" for rule_id in dict.fromkeys(rule_ids))
    return scopes


def period_end(period: str, first_day: int) -> int:
    """Return the first day after a period that begins with ``first_day``.

    >>> period_end("day", 20_000), period_end("month", 19_997)  # October 2024 has 31 days
    (20001, 20028)
    """
    return first_day + 1 if period == "day" else month_start(first_day + 31)
