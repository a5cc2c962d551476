from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.probes import probed

from trimtab.catalog import ModelCard, Price, PriceBook, PriceConfig, PriceSource, Rate
from trimtab.catalog.prices import cost_of
from trimtab.core import Usage

NOVEMBER = 1_793_534_400_000_000  # 2026-11-01T12:00:00Z
GPT_4O = ModelCard(provider="openai", model="gpt-4o")


def price(input: str = "2", output: str = "8", cache_read: str | None = None, reasoning: str | None = None) -> Price:
    return Price(
        input=Rate(Decimal(input)),
        output=Rate(Decimal(output)),
        cache_read=None if cache_read is None else Rate(Decimal(cache_read)),
        reasoning=None if reasoning is None else Rate(Decimal(reasoning)),
        source=PriceSource.CONTRACT,
        origin="test",
        as_of=date(2026, 1, 1),
    )


def test_cached_input_is_billed_at_the_cached_rate() -> None:
    usage = Usage(input_tokens=1_000_000, cache_read_tokens=250_000, output_tokens=0)

    assert cost_of(price(cache_read="1"), usage).nano_usd == 1_750_000_000  # 0.75 x $2 + 0.25 x $1


def test_cached_input_without_a_rate_of_its_own_is_billed_as_input() -> None:
    usage = Usage(input_tokens=1000, cache_read_tokens=400, cache_write_tokens=100, output_tokens=0)

    assert cost_of(price(), usage).nano_usd == 2_000_000


def test_reasoning_is_part_of_the_output() -> None:
    usage = Usage(input_tokens=0, output_tokens=1000, reasoning_tokens=600)

    assert cost_of(price(), usage).nano_usd == 8_000_000
    assert cost_of(price(reasoning="10"), usage).nano_usd == 9_200_000  # 400 x 8 + 600 x 10


def test_cached_tokens_are_not_counted_twice() -> None:
    # Published case, github earendil-works/pi pull 2148: $0.0056 is right, $0.0137 counts the cached part twice.
    usage = Usage(input_tokens=20212, cache_read_tokens=16298, output_tokens=931)
    figure = cost_of(price(input="0.5", cache_read="0.05", output="3.0"), usage).nano_usd

    assert figure == 5_564_900  # 3914 x 500 + 16298 x 50 + 931 x 3000


def test_a_tier_holds_for_the_whole_call() -> None:
    tiered = Price(
        input=Rate(Decimal("1.25"), ((200_000, Decimal("2.5")),)),
        output=Rate(Decimal(10), ((200_000, Decimal(15)),)),
        source=PriceSource.LIST,
        origin="test",
        as_of=date(2026, 1, 1),
    )

    assert cost_of(tiered, Usage(input_tokens=200_000, output_tokens=1000)).nano_usd == 260_000_000
    assert cost_of(tiered, Usage(input_tokens=200_001, output_tokens=1000)).nano_usd == 515_002_500


@pytest.mark.parametrize(
    ("usage", "why"),
    [
        (Usage(output_tokens=5), "input tokens is unknown"),
        (Usage(input_tokens=5), "output tokens is unknown"),
        (Usage(input_tokens=5, output_tokens=5, cache_read_tokens=6), "contradict"),
        (Usage(input_tokens=5, output_tokens=5, reasoning_tokens=6), "contradict"),
        (Usage(input_tokens=-1, output_tokens=5), "contradict"),
    ],
)
def test_unknown_or_impossible_usage_has_no_cost(usage: Usage, why: str) -> None:
    cost = cost_of(price(), usage)

    assert cost.nano_usd is None
    assert why in cost.note
    assert cost.parts == {}


def test_a_known_zero_is_not_unknown() -> None:
    assert cost_of(price(), Usage(input_tokens=0, output_tokens=0)).nano_usd == 0


def test_a_price_without_output_serves_embeddings_only() -> None:
    embeddings = Price(
        input=Rate(Decimal("0.02")), output=None, source=PriceSource.LIST, origin="test", as_of=date(2026, 1, 1)
    )

    assert cost_of(embeddings, Usage(input_tokens=1_000_000)).nano_usd == 20_000_000
    assert cost_of(embeddings, Usage(input_tokens=10, output_tokens=1)).nano_usd is None


tokens = st.integers(0, 2_000_000)
rates = st.decimals(0, 100, places=6)


@given(tokens, tokens, tokens, tokens, tokens, rates, rates, rates)
def test_costs_add_up_and_are_never_negative(
    fresh: int, read: int, write: int, spoken: int, thought: int, p_in: Decimal, p_read: Decimal, p_out: Decimal
) -> None:
    usage = Usage(
        input_tokens=fresh + read + write,
        cache_read_tokens=read,
        cache_write_tokens=write,
        output_tokens=spoken + thought,
        reasoning_tokens=thought,
    )
    cost = cost_of(price(input=str(p_in), cache_read=str(p_read), output=str(p_out)), usage)
    exact = (fresh + write) * p_in + read * p_read + (spoken + thought) * p_out

    assert cost.nano_usd is not None
    assert sum(cost.parts.values()) == cost.nano_usd
    assert all(part >= 0 for part in cost.parts.values())
    assert abs(cost.nano_usd - exact * 1000) <= Decimal("2.5")  # five roundings to a whole nano-dollar


@pytest.mark.parametrize(
    ("card", "usage", "usd"),
    [
        (GPT_4O, Usage(input_tokens=10_000, cache_read_tokens=8000, output_tokens=500), "0.02"),
        (
            ModelCard(provider="anthropic", model="claude-sonnet-4-5"),
            Usage(input_tokens=10_000, cache_read_tokens=8000, cache_write_tokens=1000, output_tokens=500),
            "0.01665",
        ),
        (
            ModelCard(provider="google", model="gemini-2.5-pro"),
            Usage(input_tokens=199_999, output_tokens=1000),
            "0.25999875",
        ),
        (
            ModelCard(provider="google", model="gemini-2.5-pro"),
            Usage(input_tokens=200_001, output_tokens=1000),
            "0.5150025",
        ),
        (  # BerriAI/litellm issue 14849: a tier and a cache discount in one call
            ModelCard(provider="google", model="gemini-2.5-pro"),
            Usage(input_tokens=262_960, cache_read_tokens=257_955, output_tokens=1744),
            "0.10316125",
        ),
    ],
)
def test_list_prices_give_the_published_costs(card: ModelCard, usage: Usage, usd: str) -> None:
    # Worked by hand from the providers' price pages; the tier of Gemini 2.5 Pro starts above 200,000 input tokens.
    cost = PriceBook().cost(card, usage, NOVEMBER)

    assert cost.nano_usd == int(Decimal(usd) * 10**9)
    assert cost.source is PriceSource.LIST
    assert cost.price is not None
    assert cost.price.origin.startswith("genai-prices 0.")
    assert cost.price_date == date(2026, 11, 1)


def test_a_model_nobody_prices_is_unpriced_and_never_free() -> None:
    unknown = ModelCard(provider="local", model="gpt-4o")  # the name resembles; the provider is not the list's
    book = PriceBook()

    cost = book.cost(unknown, Usage(input_tokens=5, output_tokens=5), NOVEMBER)

    assert (cost.nano_usd, cost.source, cost.note) == (None, None, "local:gpt-4o has no price")
    assert book.estimate(unknown, 5, 5, NOVEMBER) is None


def test_a_model_inside_the_boundary_never_gets_a_hosted_price() -> None:
    card = ModelCard(provider="openai", model="gpt-4o", boundary="inside")

    assert PriceBook().price_of(card, NOVEMBER) is None


@pytest.mark.parametrize("price_id", ["openai:gpt-4o", "gpt-4o"])
def test_a_price_id_names_the_list_entry(price_id: str) -> None:
    card = ModelCard(provider="azure-west", model="prod-deployment-7", price_id=price_id)

    assert PriceBook().estimate(card, 1_000_000, 100_000, NOVEMBER) == 3_500_000_000  # $2.50 + 0.1 x $10


def test_an_embedding_model_is_estimated_on_its_input() -> None:
    card = ModelCard(provider="openai", model="text-embedding-3-small")

    assert PriceBook().estimate(card, 1_000_000, 500, NOVEMBER) == 20_000_000  # $0.02 a million


def test_a_contract_price_replaces_the_list_from_its_first_day() -> None:
    contract = PriceConfig(
        input_usd_per_mtok=Decimal(2),
        output_usd_per_mtok=Decimal(8),
        valid_from=date(2026, 11, 1),
        source="contract 17",
    )
    book = PriceBook({"openai:gpt-4o": contract})
    midnight = NOVEMBER // 86_400_000_000 * 86_400_000_000

    new, old = book.price_of(GPT_4O, midnight), book.price_of(GPT_4O, midnight - 1)

    assert new is not None
    assert (new.source, new.origin, new.as_of) == (PriceSource.CONTRACT, "contract 17", date(2026, 11, 1))
    assert old is not None
    assert (old.source, old.input) == (PriceSource.LIST, Rate(Decimal("2.5")))


def test_prices_are_historic() -> None:
    # OpenAI cut o3 from $10/$40 to $2/$8 per million tokens on 10 June 2025.
    o3 = ModelCard(provider="openai", model="o3")
    book = PriceBook()
    june_9 = 1_749_470_400_000_000
    june_11 = june_9 + 2 * 86_400_000_000

    assert book.estimate(o3, 1_000_000, 0, june_9) == 10_000_000_000
    assert book.estimate(o3, 1_000_000, 0, june_11) == 2_000_000_000


@pytest.mark.parametrize(
    ("gpus", "tokens_per_s", "utilisation", "usd_per_mtok"),
    [
        (1, 9010, 1.0, "0.0909"),
        (1, 9010, 0.2, "0.4547"),
        (1, 9010, 0.05, "1.8190"),
        (4, 4915, 0.5, "1.3338"),
    ],
)
def test_an_hourly_price_is_spread_over_the_tokens_it_yields(
    gpus: int, tokens_per_s: float, utilisation: float, usd_per_mtok: str
) -> None:
    # H100 at $2.95/h (Nebius) and ML.ENERGY throughput of Llama 3.1 8B and 70B.
    config = PriceConfig(
        usd_per_hour=Decimal("2.95") * gpus, output_tokens_per_s=tokens_per_s, utilisation=utilisation, source="bench"
    )

    derived = config.derived()

    assert derived is not None
    assert derived.output is not None
    assert derived.output.usd_per_mtok == pytest.approx(Decimal(usd_per_mtok), abs=Decimal("5e-5"))
    assert derived.source is PriceSource.SELF_HOSTED
    assert f"{tokens_per_s:g} output tokens/s" in derived.origin


def test_an_hourly_price_without_a_speed_is_spread_over_what_the_newest_probe_measured() -> None:
    card = ModelCard(provider="local", model="m", boundary="inside")
    config = PriceConfig(usd_per_hour=Decimal("1.8"), utilisation=0.5)

    before = PriceBook({card.name: config})
    after = before.with_probes({card.name: probed("local:m")})

    assert before.price_of(card, NOVEMBER) is None  # unpriced, never 0
    assert before.waits_for_probe(card)
    assert "trimtab models probe local:m" in before.cost(card, Usage(input_tokens=1, output_tokens=1), NOVEMBER).note
    price = after.price_of(card, NOVEMBER)
    assert price is not None
    assert price.output is not None
    assert price.output.usd_per_mtok == Decimal("1.000000")  # $1.80 over 1,000 x 3,600 x 0.5 = 1.8 million tokens
    assert "probe of 2026-11-02, n = 24 calls, 8 at a time" in price.origin
    assert not after.waits_for_probe(card)


def test_a_speed_in_the_configuration_wins_over_a_probe() -> None:
    config = PriceConfig(usd_per_hour=Decimal("1.8"), utilisation=0.5, output_tokens_per_s=500)
    book = PriceBook({"local:m": config})

    assert config.derived(probed("local:m")) == config.derived()
    assert book.with_probes({"local:m": probed("local:m")}) is book  # nothing to change, so prices stay remembered


def test_pricing_a_call_again_looks_nothing_up() -> None:
    book = PriceBook()

    assert book.price_of(GPT_4O, NOVEMBER) is book.price_of(GPT_4O, NOVEMBER + 60_000_000)
