"""Every price of a dated snapshot of two public lists, where the reference data is beside the checkout."""

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from trimtab.catalog import ModelCard, PriceBook, Rate

SNAPSHOT = Path(__file__).parents[3] / "shared/data/cost/price_snapshot_2026-11-15.csv"
NOON_15_NOVEMBER = 1_794_744_000_000_000


@pytest.mark.shared
def test_list_prices_equal_the_snapshot() -> None:
    if not SNAPSHOT.exists():
        pytest.skip(f"no price snapshot at {SNAPSHOT}")
    book, n_checked = PriceBook(), 0
    for row in csv.DictReader(SNAPSHOT.read_text().splitlines()):
        if row["gp_id"] == "NOT FOUND":
            continue
        price = book.price_of(ModelCard(provider=row["provider"], model=row["model"]), NOON_15_NOVEMBER)
        assert price is not None, row["model"]
        assert price.input == rate(row["gp_in"]), row["model"]
        assert price.output == rate(row["gp_out"]), row["model"]
        assert price.cache_read == rate(row["gp_cache_read"]), row["model"]
        assert price.cache_write == rate(row["gp_cache_write"]), row["model"]
        n_checked += 1
    assert n_checked == 33


def rate(cell: str) -> Rate | None:
    if not cell:
        return None
    base, *tiers = cell.split("|")
    pairs = (tier.removeprefix(">").split(":") for tier in tiers)
    return Rate(Decimal(base), tuple((int(start), Decimal(usd)) for start, usd in pairs))
