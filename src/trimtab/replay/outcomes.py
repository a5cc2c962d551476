"""What a simulation reads: for each prompt, what each model that was asked made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from trimtab.policy import Facts


class Outcome(NamedTuple):
    """One model's recorded answer to one prompt. ``None`` is unknown."""

    cost_nano_usd: int | None = None
    quality_fraction: float | None = None
    """0 to 1."""
    latency_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptOutcomes:
    """One prompt with every outcome recorded for it. Differences are paired by prompt, so each comes once."""

    prompt_id: str
    """The prompt's id, or the call's where a prompt was seen once."""
    facts: Facts
    """With token counts rounded as the gateway rounds them, equal-looking prompts share one decision."""
    baseline_model: str | None
    """Who answered it in the record; ``None`` for an outcome table without a call."""
    outcomes: Mapping[str, Outcome]
    """By ``provider:model``."""
    at_us: int
    """When it was asked, Unix microseconds; dates the prices."""
