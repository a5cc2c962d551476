"""What a policy says about one call: the frame inside which routing may choose."""

from typing import Literal

import msgspec

Mode = Literal["auto", "fixed", "capability", "eco", "regulated"]
Preset = Literal["balanced", "max-quality", "eco"]
OnExhausted = Literal["refuse", "downgrade", "queue"]


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a call before a model is chosen. The closed field registry of rules is made from this."""

    api: str = "chat_completions"
    app: str = "default"
    workload: str = "unclassified"
    workload_class: str = "unknown"
    task_type: str = "unknown"
    sensitivity: int = 3
    """After labels and detectors; see ``trimtab.core.Sensitivity``."""
    requested_model: str = "auto"
    requested_mode: str | None = None
    """Mode asked for by the caller; it may only narrow."""
    key_id: str | None = None
    n_tools: int = 0
    n_images: int = 0
    n_messages: int = 1
    n_choices: int = 1
    json_mode: str | None = None
    is_stream: bool = False
    input_tokens: int = 0
    """Upper estimate, rounded up to a power of two so that equal-looking calls share one decision."""
    max_output_tokens: int | None = None
    """The caller's own limit, rounded up to a power of two."""
    language: str = "unknown"


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """A model taken out of the running, by whom and why."""

    model: str
    tier: str
    """``policy`` or ``constraints``; later tiers have their own names."""
    rule_id: str
    """The policy rule or the built-in check, such as ``builtin:restricted-stays-inside``."""
    reason: str
    """One sentence with the value and the limit it broke."""


class Latency(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Latency target; a model without ``min_samples`` measurements is not excluded, and the trace says so."""

    ttft_p95_ms: float | None = None
    total_p95_ms: float | None = None
    min_output_tokens_per_s: float | None = None
    min_samples: int = 20


class Budget(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A spending limit of one scope. Amounts are nano-dollars."""

    scope: str
    """``organisation``, ``app:NAME``, ``workload:NAME`` or ``key:ID``."""
    per_call_nano_usd: int | None = None
    per_day_nano_usd: int | None = None
    per_month_nano_usd: int | None = None
    on_exhausted: OnExhausted = "refuse"
    queue_timeout_s: float = 30.0


class Pin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A workload fixed to one model until its review date."""

    model: str
    review_at: str
    """ISO date. A pin past its date still holds; lint and the trace complain."""
    reason: str = ""


class RuleTrace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one rule fared on one call."""

    rule_id: str
    matched: bool
    leaf: str = ""
    """The condition leaf that decided, such as ``task_type eq code (was chat)``."""


class Constraints(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A policy's word on one call, after all scopes and rules are folded together."""

    policy_id: str
    policy_version: str
    """sha256 of the policy's canonical JSON."""
    allowed: tuple[str, ...]
    """Model names still permitted, in pool order. Failovers, retries and challengers come from here too."""
    removed: tuple[Removal, ...] = ()
    rule_ids: tuple[str, ...] = ()
    """Rules and scopes that applied, the narrowest first; never empty."""
    trace: tuple[RuleTrace, ...] = ()
    mode: Mode = "auto"
    preset: Preset = "balanced"
    pin: Pin | None = None
    prefer: tuple[str, ...] = ()
    """Ordered preference where nothing measured decides."""
    quality_bar: float | None = None
    latency: Latency | None = None
    budgets: tuple[Budget, ...] = ()
    energy_wh_per_call: float | None = None
    sensitivity: int = 3
    store: str = "redacted"
    max_output_tokens: int | None = None
    """Clamp: the server never asks a model for more."""
    max_choices: int | None = None
