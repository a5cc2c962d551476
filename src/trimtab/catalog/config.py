"""The ``models:`` list of the settings: one entry a model, its facts and, where it has one, its own price."""

from datetime import date
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trimtab.catalog.cards import Boundary, Capability, ModelCard, ModelClass
from trimtab.catalog.prices import TOKENS_PER_MTOK, Price, PriceSource, Rate
from trimtab.catalog.probes import ProbeResult
from trimtab.core import Api

_SECONDS_PER_HOUR = 3600
_RATE_STEP = Decimal("0.000001")


ALWAYS = date(1970, 1, 1)
"""``valid_from`` of a price that nobody dated."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PriceConfig(_Section):
    """A price that replaces the public list's: a contract's rates, or what an own machine costs by the hour."""

    valid_from: date = ALWAYS
    """First day (UTC) it holds; earlier calls are priced from the public list."""
    source: str = ""
    """Where the figures can be checked: a contract, an invoice, a measurement with its date."""
    input_usd_per_mtok: Decimal | None = Field(default=None, ge=0)
    """Dollars per million input tokens."""
    output_usd_per_mtok: Decimal | None = Field(default=None, ge=0)
    """Dollars per million output tokens; left out only where a model writes none."""
    cache_read_usd_per_mtok: Decimal | None = Field(default=None, ge=0)
    """Left out: cached input costs what other input does."""
    cache_write_usd_per_mtok: Decimal | None = Field(default=None, ge=0)
    """Left out: input written to the cache costs what other input does."""
    reasoning_usd_per_mtok: Decimal | None = Field(default=None, ge=0)
    """Left out: hidden reasoning costs what other output does."""
    usd_per_hour: Decimal | None = Field(default=None, ge=0)
    """Cost of the machine for one hour, for a self-hosted model."""
    output_tokens_per_s: float | None = Field(default=None, gt=0)
    """Measured on that machine at full load, with prompts like yours: reading them is inside the figure. Left out: as
    `trimtab models probe` last measured it; before a probe the model is unpriced."""
    utilisation: float | None = Field(default=None, gt=0, le=1)
    """Share of the paid hours that it really works at that speed."""

    @model_validator(mode="after")
    def _check(self) -> "PriceConfig":
        hourly = (self.usd_per_hour, self.output_tokens_per_s, self.utilisation)
        rates = (
            self.input_usd_per_mtok,
            self.output_usd_per_mtok,
            self.cache_read_usd_per_mtok,
            self.cache_write_usd_per_mtok,
            self.reasoning_usd_per_mtok,
        )
        if any(value is not None for value in hourly):
            if any(value is not None for value in rates):
                raise ValueError("a price is either per million tokens or per hour, not both")
            if self.usd_per_hour is None or self.utilisation is None:
                raise ValueError("a price per hour needs usd_per_hour and utilisation together")
        elif self.input_usd_per_mtok is None:
            raise ValueError("a price needs input_usd_per_mtok, or usd_per_hour for a self-hosted model")
        return self

    @property
    def needs_probe(self) -> bool:
        """Whether it is a price only together with a measured speed."""
        return self.usd_per_hour is not None and self.output_tokens_per_s is None

    def derived(self, probe: ProbeResult | None = None) -> Price | None:
        """Return the price this describes.

        Args:
            probe: The model's newest, for a price per hour that names no speed.

        Returns:
            ``None`` where such a price has no measured speed to be spread over.
        """
        if self.usd_per_hour is None:
            return self._contract()
        if self.output_tokens_per_s is not None:
            return self._hourly(self.output_tokens_per_s, "")
        peak = None if probe is None else probe.peak
        if probe is None or peak is None or peak.output_tokens_per_s is None:
            return None
        measured = f" (probe of {probe.day}, n = {peak.n_calls} calls, {peak.concurrency} at a time)"
        return self._hourly(peak.output_tokens_per_s, measured)

    def _contract(self) -> Price:
        assert self.input_usd_per_mtok is not None
        return Price(
            input=Rate(self.input_usd_per_mtok),
            output=_rate(self.output_usd_per_mtok),
            cache_read=_rate(self.cache_read_usd_per_mtok),
            cache_write=_rate(self.cache_write_usd_per_mtok),
            reasoning=_rate(self.reasoning_usd_per_mtok),
            source=PriceSource.CONTRACT,
            origin=self.source or "configuration",
            as_of=self.valid_from,
        )

    def _hourly(self, output_tokens_per_s: float, measured: str) -> Price:
        """Spread the hour over the output tokens it yields: ``usd_per_hour / (tokens_per_s x 3600 x utilisation)``.

        Source:
            The usual fixed-cost form, for example reference case 1 x H100 at $2.95/h, 9,010 tokens/s and 20 %
            utilisation = $0.4547 per million output tokens.
        """
        assert self.usd_per_hour is not None
        assert self.utilisation is not None
        tokens_per_hour = Decimal(str(output_tokens_per_s)) * _SECONDS_PER_HOUR * Decimal(str(self.utilisation))
        usd_per_mtok = (self.usd_per_hour * TOKENS_PER_MTOK / tokens_per_hour).quantize(_RATE_STEP)
        how = (
            f"${self.usd_per_hour}/h over {output_tokens_per_s:g} output tokens/s{measured} "
            f"at {self.utilisation:.0%} utilisation, reading the prompt included"
        )
        return Price(
            input=Rate(Decimal(0)),
            output=Rate(usd_per_mtok),
            source=PriceSource.SELF_HOSTED,
            origin=f"{self.source}: {how}" if self.source else how,
            as_of=self.valid_from,
        )


def _rate(usd_per_mtok: Decimal | None) -> Rate | None:
    return None if usd_per_mtok is None else Rate(usd_per_mtok)


class ModelConfig(_Section):
    """One model of the pool. Every fact but the first two may be left out; unknown stays unknown."""

    provider: str = Field(min_length=1)
    """Name of an entry of ``providers:``."""
    model: str = Field(min_length=1)
    """What the provider calls it."""
    model_class: ModelClass = "unknown"
    """A label for people and reports; no rule reads it."""
    boundary: Boundary = "outside"
    """``inside`` only where content stays in your own hands: restricted calls go nowhere else."""
    region: str | None = None
    """Where it runs; without one it fails every residency rule."""
    is_approved: bool = False
    """Approved for regulated workloads."""
    parameters_b: float | None = Field(default=None, gt=0)
    """Billions of parameters."""
    precision: str | None = None
    """Such as ``bf16`` or ``q4_k_m``."""
    context_tokens: int | None = Field(default=None, gt=0)
    """Input and output together; longer calls go elsewhere."""
    max_output_tokens: int | None = Field(default=None, gt=0)
    """Most it can write in one answer."""
    capabilities: frozenset[Capability] = frozenset({"chat", "streaming"})
    """A call that needs another one goes elsewhere."""
    apis: frozenset[Api] = frozenset({Api.CHAT_COMPLETIONS, Api.MESSAGES})
    """Wire forms it can be reached by, translation included."""
    capability_rank: float | None = None
    """Higher is more capable; counts only where no quality was measured."""
    energy_wh_per_mtok: float | None = Field(default=None, ge=0)
    """Watt-hours per million output tokens."""
    price_id: str | None = None
    """Its name in the public price list, as ``provider:model`` or a model name alone, when that differs."""
    version: str | None = None
    """Revision or digest; a change of it makes a different model to learning."""
    base: str | None = None
    """``provider:model`` it was quantized or tuned from."""
    price: PriceConfig | None = None
    """Its own price instead of the public list's."""

    @property
    def name(self) -> str:
        """``provider:model``."""
        return f"{self.provider}:{self.model}"

    def card(self) -> ModelCard:
        """Return the facts without the price."""
        return ModelCard(**self.model_dump(exclude={"price"}))
