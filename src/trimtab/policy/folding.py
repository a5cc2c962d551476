"""Fold every scope that applies to a call into one set of constraints. Narrowing only, whatever the order."""

from collections.abc import Callable, Sequence
from typing import TypeVar, get_args

from trimtab.core import STRICTEST
from trimtab.policy.constraints import Budget, Latency, Mode, Pin, Preset
from trimtab.policy.document import StoreName, Terms, level
from trimtab.policy.scopes import Scope

_T = TypeVar("_T")
_Number = TypeVar("_Number", int, float)

_STRICTNESS: dict[Mode, int] = {"auto": 0, "fixed": 1, "capability": 1, "eco": 1, "regulated": 2}
_STORES: tuple[str, ...] = get_args(StoreName)


def said(scopes: Sequence[Scope], get: Callable[[Terms], _T | None]) -> list[_T]:
    """Return what the scopes say of one term, widest first."""
    return [value for scope in scopes if (value := get(scope.terms)) is not None]


def last(values: Sequence[_T]) -> _T | None:
    """Return the narrowest scope's word, ``None`` when nobody says one."""
    return values[-1] if values else None


def lowest(limits: Sequence[_Number]) -> _Number | None:
    """Return the smallest limit, ``None`` when nobody sets one."""
    return min(limits, default=None)


def highest(bars: Sequence[_Number]) -> _Number | None:
    """Return the largest bar, ``None`` when nobody sets one."""
    return max(bars, default=None)


def sensitivity_of(own: int, scopes: Sequence[Scope]) -> int:
    """Return the strictest label; a number that is no level counts as the strictest."""
    start = own if 0 <= own <= STRICTEST else int(STRICTEST)
    return max([start, *_labels(scopes)])


def label_of(scopes: Sequence[Scope]) -> int | None:
    """Return the strictest label declared, ``None`` where none is."""
    return highest(_labels(scopes))


def _labels(scopes: Sequence[Scope]) -> list[int]:
    return [int(level(scope.terms.sensitivity)) for scope in scopes if scope.terms.sensitivity is not None]


def mode_of(scopes: Sequence[Scope]) -> Mode:
    """Return the narrowest scope's mode, ignoring steps back from ``regulated`` or to ``auto``."""
    mode: Mode = "auto"
    for scope in scopes:
        wanted = scope.terms.mode
        if wanted is not None and _STRICTNESS[wanted] >= _STRICTNESS[mode]:
            mode = wanted
    return mode


def may_ask_for(wanted: Mode, mode: Mode) -> bool:
    """Return whether a caller may go from the policy's mode to the wanted one: strictly narrower, or the same."""
    return wanted == mode or _STRICTNESS[wanted] > _STRICTNESS[mode]


def preset_of(scopes: Sequence[Scope]) -> Preset:
    """Return the narrowest scope's preset."""
    return last(said(scopes, lambda terms: terms.preset)) or "balanced"


def store_of(scopes: Sequence[Scope]) -> str:
    """Return the store mode that keeps least."""
    return min(said(scopes, lambda terms: terms.store), key=_STORES.index, default="redacted")


def latency_of(scopes: Sequence[Scope]) -> Latency | None:
    """Return the strictest of each target; the fewest samples that suffice for exclusion."""
    targets = said(scopes, lambda terms: terms.latency)
    if not targets:
        return None
    samples = lowest([target.min_samples for target in targets if target.min_samples is not None])
    return Latency(
        ttft_p95_ms=lowest([t.ttft_p95_ms for t in targets if t.ttft_p95_ms is not None]),
        total_p95_ms=lowest([t.total_p95_ms for t in targets if t.total_p95_ms is not None]),
        min_output_tokens_per_s=highest(
            [t.min_output_tokens_per_s for t in targets if t.min_output_tokens_per_s is not None]
        ),
        min_samples=Latency().min_samples if samples is None else samples,
    )


def budgets_of(scopes: Sequence[Scope]) -> tuple[Budget, ...]:
    """Return every scope's cap; all of them hold."""
    return tuple(scope.budget for scope in scopes if scope.budget is not None)


def pin_of(scopes: Sequence[Scope]) -> Pin | None:
    """Return the narrowest pin. All pins filter, so two different ones leave nothing."""
    return last([scope.pin for scope in scopes if scope.pin is not None])


def is_hint(scopes: Sequence[Scope]) -> bool:
    """Return whether a model named in the call is only a preference: somebody says so and nobody says otherwise."""
    return {scope.terms.requested_model for scope in scopes} - {None} == {"hint"}
