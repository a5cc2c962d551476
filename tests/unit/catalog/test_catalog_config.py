from decimal import Decimal

import pytest
from pydantic import ValidationError

from trimtab.catalog import ModelCard, ModelConfig, PriceConfig


def test_a_configured_model_gives_its_card() -> None:
    config = ModelConfig.model_validate(
        {
            "provider": "local",
            "model": "qwen3-4b",
            "boundary": "inside",
            "capabilities": ["chat", "tools"],
            "apis": ["chat_completions"],
            "context_tokens": 32768,
            "price": {"input_usd_per_mtok": "0.1"},
        }
    )

    card = config.card()

    assert card == ModelCard(
        provider="local",
        model="qwen3-4b",
        boundary="inside",
        capabilities=frozenset({"chat", "tools"}),
        apis=card.apis,
        context_tokens=32768,
    )
    assert [api.value for api in card.apis] == ["chat_completions"]
    assert config.price == PriceConfig(input_usd_per_mtok=Decimal("0.1"))


def test_a_configured_model_and_a_card_have_the_same_facts_and_defaults() -> None:
    assert set(ModelConfig.model_fields) - {"price"} == set(ModelCard.__dataclass_fields__)
    assert ModelConfig(provider="p", model="m").card() == ModelCard(provider="p", model="m")


def test_a_misspelt_fact_is_refused() -> None:
    with pytest.raises(ValidationError, match="contxt_tokens"):
        ModelConfig.model_validate({"provider": "p", "model": "m", "contxt_tokens": 1})


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({}, "needs input_usd_per_mtok"),
        ({"output_usd_per_mtok": 1}, "needs input_usd_per_mtok"),
        ({"usd_per_hour": 2}, "together"),
        ({"usd_per_hour": 2, "output_tokens_per_s": 9, "utilisation": 1, "input_usd_per_mtok": 1}, "not both"),
        ({"usd_per_hour": 2, "output_tokens_per_s": 9, "utilisation": 1.1}, "less than or equal to 1"),
        ({"input_usd_per_mtok": -1}, "greater than or equal to 0"),
    ],
)
def test_half_a_price_is_refused(document: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        PriceConfig.model_validate(document)
