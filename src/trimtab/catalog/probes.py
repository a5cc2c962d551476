"""What `trimtab models probe` measured of one model, on the day it did: speed, limits, abilities, memory and power."""

import msgspec

from trimtab.core import to_datetime


class ProbeLevel(msgspec.Struct, frozen=True, kw_only=True):
    """Speed with so many calls under way at a time. ``None`` where nothing was measured."""

    concurrency: int
    n_calls: int
    """Calls that were answered; all figures of this level are over them."""
    n_failed: int
    n_passes: int
    """Times that so many calls were begun together."""
    ttft_p50_ms: float | None
    """From the request sent on an open connection to the first piece of text."""
    ttft_p95_ms: float | None
    """Likewise; the smallest value with 95 % of the calls at or below it."""
    call_output_tokens_per_s: float | None
    """Decoding speed of one call, its first token left out; the median over calls."""
    output_tokens_per_s: float | None
    """Of all calls together, reading their prompts included; the median over passes."""


class ProbedCapability(msgspec.Struct, frozen=True, kw_only=True):
    """Whether one thing was done when it was asked for."""

    capability: str
    """As on the model card: ``json_schema``, ``tools``, ``logprobs``."""
    holds: bool | None
    """``None``: not tried."""
    reason: str
    """What came back, or why it was not tried."""


class ProbedContext(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the declared context length is real."""

    declared_tokens: int | None
    """By the engine or the model card."""
    accepted_tokens: int | None = None
    """Longest input that was answered, as the server counted it."""
    is_refused_above: bool | None = None
    """Whether a longer one than declared was refused, as it should be; ``None``: not tried."""
    reason: str = ""
    """What came back, or why nothing was tried."""


class ProbedPower(msgspec.Struct, frozen=True, kw_only=True):
    """Power drawn while the model wrote at its best level."""

    power_w: float | None = None
    wh_per_output_mtok: float | None = None
    """Watt-hours per million output tokens, reading the prompts included."""
    seconds: float | None = None
    """Length of what was measured."""
    source: str
    """Which sensor and what it counts besides the model, or why there is none."""


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """One probe of one model: figures with their date and number of calls. Unknown is ``None``."""

    model: str
    """``provider:model``; for a file that no engine of the configuration serves, the file's name."""
    measured_at_us: int
    """When it began."""
    n_calls: int
    """Timed calls that were answered."""
    input_tokens: int | None
    """Of a timed call, as the server counted them: the median. Every prompt was fresh, so no cache helped."""
    output_tokens: int | None
    """Likewise, of its answer."""
    levels: tuple[ProbeLevel, ...]
    """The least concurrency first."""
    input_tokens_per_s: float | None
    """Prefill: input tokens by time to first token at the least concurrency, the median over its calls."""
    saturating_concurrency: int | None
    """Least one that reaches 95 % of the best total; ``None`` where the total still grew at the last one tried."""
    context: ProbedContext
    capabilities: tuple[ProbedCapability, ...]
    memory_bytes: int | None
    """Resident memory of the engine's processes after the calls."""
    power: ProbedPower
    slots: int | None = None
    """Calls that the engine works on at a time."""
    n_parameters: int | None = None
    size_bytes: int | None = None
    """Of the weights."""
    precision: str | None = None
    engine_version: str | None = None
    is_complete: bool = True
    """False where the time budget ended it early."""
    notes: tuple[str, ...] = ()
    """What a reader of the figures has to know."""

    @property
    def day(self) -> str:
        """ISO date (UTC)."""
        return to_datetime(self.measured_at_us).date().isoformat()

    @property
    def light(self) -> ProbeLevel | None:
        """The level of the least concurrency: as fast as one caller will ever see it."""
        return self.levels[0] if self.levels else None

    @property
    def peak(self) -> ProbeLevel | None:
        """The level with the highest total of output tokens per second; ``None`` where no level has one."""
        measured = [level for level in self.levels if level.output_tokens_per_s is not None]
        return max(measured, key=lambda level: level.output_tokens_per_s or 0.0, default=None)


def read_probe(facts: object) -> ProbeResult:
    """Return a probe from what JSON made of it.

    Raises:
        msgspec.ValidationError: it is none.
    """
    return msgspec.convert(facts, ProbeResult)
