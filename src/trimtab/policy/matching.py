"""How a policy names models: full names, aliases, bare names and globs."""

from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase

from trimtab.catalog import ModelCard, Pool

_GLOB = frozenset("*?[")


def is_glob(pattern: str) -> bool:
    """Return whether the pattern can name several models."""
    return not _GLOB.isdisjoint(pattern)


def matching(pattern: str, pool: Pool) -> tuple[str, ...]:
    """Return the names of the pool's models that the pattern means, in pool order.

    An alias means its model. A pattern with a colon is compared with ``provider:model``; one without is compared
    with the model part, at every provider, so that ``deny: [gpt-large]`` cannot be passed by at a second provider.
    """
    if pattern in pool.aliases:
        return (pool.aliases[pattern],)
    if pattern in pool.cards:
        return (pattern,)
    return tuple(card.name for card in pool if _matches(card, pattern))


def _matches(card: ModelCard, pattern: str) -> bool:
    return fnmatchcase(card.name if ":" in pattern else card.model, pattern)


def matching_any(patterns: Iterable[str], pool: Pool) -> tuple[str, ...]:
    """Return what any of the patterns means, in the patterns' order, each name once."""
    return tuple(dict.fromkeys(name for pattern in patterns for name in matching(pattern, pool)))


def closest(pattern: str, pool: Pool) -> str | None:
    """Return the name of the pool that looks most like the pattern, or ``None``."""
    names = [*pool.cards, *pool.aliases]
    near = get_close_matches(pattern, names, n=1) or get_close_matches(pattern, [card.model for card in pool], n=1)
    return near[0] if near else None
