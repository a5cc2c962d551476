"""What was measured of a model; the newest holds."""

import pytest
from tests.support.store_rig import NOON_US

from trimtab.core.errors import StoreError
from trimtab.store import Database, Probe, ProbeStore


def probe(model: str = "local:small", at: int = 0, **facts: object) -> Probe:
    return Probe(model=model, measured_at_us=NOON_US + at, n_samples=32, facts=facts)


def test_without_a_measurement_nothing_is_known(database: Database) -> None:
    store = ProbeStore(database)

    assert (store.latest("local:small"), store.list_probes()) == (None, [])


def test_the_newest_measurement_of_each_model_holds(database: Database) -> None:
    store = ProbeStore(database)
    old = probe(ttft_p50_ms=40.0, capabilities=["chat"])
    new = probe(at=2, decode_tokens_per_s={"1": 41.5, "4": 120.0}, power_w=None)
    other = probe("local:other", at=1)
    for one in (new, old, other):
        store.add(one)

    assert (store.latest("local:small"), store.latest("local:other")) == (new, other)
    assert store.list_probes() == [new, other, old]
    assert store.list_probes("local:small") == [new, old]


def test_a_second_measurement_of_the_same_instant_takes_the_place_of_the_first(database: Database) -> None:
    store = ProbeStore(database)
    store.add(probe(memory_bytes=1))
    store.add(probe(memory_bytes=2**40))

    assert store.list_probes() == [probe(memory_bytes=2**40)]


def test_a_name_that_no_database_can_hold_is_made_storable(database: Database) -> None:
    store = ProbeStore(database)
    store.add(probe("local:\x00"))

    assert store.latest("local:\x00") == probe("local:\ufffd")


def test_a_number_that_no_column_takes_is_refused(database: Database) -> None:
    with pytest.raises(StoreError):
        ProbeStore(database).add(probe(at=2**80))
