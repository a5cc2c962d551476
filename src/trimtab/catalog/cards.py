"""Model cards: what is known about each model of the pool."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from trimtab.core import Api
from trimtab.core.errors import ConfigurationError, UnknownModel

Capability = Literal["chat", "embeddings", "tools", "vision", "json_object", "json_schema", "logprobs", "streaming"]
Boundary = Literal["inside", "outside"]
ModelClass = Literal["small", "fine_tuned", "frontier", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """One servable model, written ``provider:model``."""

    provider: str
    """Name of the configured provider that serves it."""
    model: str
    """What the provider calls it."""
    model_class: ModelClass = "unknown"
    """A label for people and reports. No rule and no choice may read it."""
    boundary: Boundary = "outside"
    """Whether content sent to it stays inside the organisation's own boundary. Restricted calls go inside only."""
    region: str | None = None
    """Where it runs, for residency rules; ``None`` is unknown and fails every residency rule."""
    is_approved: bool = False
    """Approved for regulated workloads by whoever owns the configuration."""
    parameters_b: float | None = None
    """Billions of parameters; recorded, never a rule."""
    precision: str | None = None
    """Such as ``bf16`` or ``q4_k_m``."""
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[Capability] = frozenset({"chat", "streaming"})
    apis: frozenset[Api] = frozenset({Api.CHAT_COMPLETIONS, Api.MESSAGES})
    """Wire forms a caller may reach it by, translation included."""
    capability_rank: float | None = None
    """Declared capability, higher is more capable; used only where no measured quality exists."""
    energy_wh_per_mtok: float | None = None
    """Watt-hours per million output tokens."""
    price_id: str | None = None
    """The name to look its price up under, when it differs from ``model``; see ``trimtab.catalog.prices``."""
    version: str | None = None
    """Revision or digest where one is known; a change of it makes a different arm."""
    base: str | None = None
    """Lineage: the card name it was quantized or tuned from."""

    @property
    def name(self) -> str:
        """``provider:model``, unique in a pool."""
        return f"{self.provider}:{self.model}"


@dataclass(frozen=True, slots=True)
class Pool:
    """The models that can serve, in configured order, and the aliases callers may use."""

    cards: Mapping[str, ModelCard]
    """By ``provider:model``."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Another name for a card, for example ``small`` for ``local:qwen3-4b``."""
    digest: str = ""
    """sha256 over everything above, first 16 hex digits."""

    @classmethod
    def of(cls, cards: Iterable[ModelCard], aliases: Mapping[str, str] | None = None) -> "Pool":
        """Build a pool.

        Raises:
            ConfigurationError: two cards share a name, or an alias hides a card or points nowhere.
        """
        by_name: dict[str, ModelCard] = {}
        for card in cards:
            if card.name in by_name:
                raise ConfigurationError(f"The pool lists model {card.name!r} twice.", hint="Remove one of the two.")
            by_name[card.name] = card
        aliases = dict(aliases or {})
        for alias, target in aliases.items():
            if alias in by_name:
                raise ConfigurationError(f"Alias {alias!r} hides the model of that name.", hint="Rename the alias.")
            if target not in by_name:
                raise ConfigurationError(
                    f"Alias {alias!r} points to {target!r}, which is not in the pool.",
                    hint=f"The pool has: {', '.join(by_name) or 'no models'}.",
                )
        canonical = msgspec.json.encode({"cards": list(by_name.values()), "aliases": aliases}, order="deterministic")
        return cls(by_name, aliases, hashlib.sha256(canonical).hexdigest()[:16])

    def __iter__(self) -> Iterator[ModelCard]:
        return iter(self.cards.values())

    def __len__(self) -> int:
        return len(self.cards)

    def find(self, name: str) -> ModelCard | None:
        """Return the card for ``provider:model``, an alias, or a bare model name that only one provider serves."""
        card = self.cards.get(self.aliases.get(name, name))
        if card is not None:
            return card
        same = [c for c in self if c.model == name]
        return same[0] if len(same) == 1 else None

    def get(self, name: str) -> ModelCard:
        """Return the card as :meth:`find` does.

        Raises:
            UnknownModel: nothing in the pool answers to ``name``.
        """
        card = self.find(name)
        if card is None:
            raise UnknownModel(
                f"Model {name!r} is not in the pool.",
                hint=f"The pool has: {', '.join(list(self.cards)[:8]) or 'no models'}. See `trimtab models list`.",
                param="model",
            )
        return card
