"""Probes between the store and those that use them."""

from tests.support.probes import NOON_US, level, probed

from trimtab.catalog import ModelCard, PriceBook
from trimtab.control import latest_probes, save_probe
from trimtab.control.numbers import measured
from trimtab.control.reports import models_of
from trimtab.server.control.tables import model_rows
from trimtab.store import Database, Probe, ProbeStore


def test_the_newest_probe_of_each_model_comes_back_as_it_was(database: Database) -> None:
    store = ProbeStore(database)
    old, new = probed("local:a"), probed("local:a", level(1, 99.0), at_us=NOON_US + 1)
    other = probed("local:b")
    for each in (new, old, other):
        save_probe(store, each)

    assert latest_probes(store) == {"local:a": new, "local:b": other}


def test_measurements_of_another_form_are_passed_over(database: Database) -> None:
    store = ProbeStore(database)
    save_probe(store, probed("local:a"))
    store.add(Probe(model="local:a", measured_at_us=NOON_US + 9, n_samples=3, facts={"perplexity": 12.5}))

    assert latest_probes(store) == {"local:a": probed("local:a")}


def test_a_model_is_shown_with_its_probe_and_one_without_it_with_nothing() -> None:
    cards = [ModelCard(provider="local", model=name, boundary="inside") for name in ("a", "b")]

    first, second = models_of(cards, PriceBook(), {"local:a": probed("local:a")}, NOON_US)

    assert first.probe == probed("local:a")
    assert measured(first.probe) == "TTFT 40 ms, 50.0 tokens/s a call, 1,000.0 in all (n = 44, 2026-11-02)"
    assert second.probe is None
    shown, empty = model_rows([first, second])
    assert (shown["probe_day"], shown["n_probe_calls"], shown["output_tokens_per_s"]) == ("2026-11-02", 44, 1000.0)
    assert (empty["probe_day"], empty["n_probe_calls"], empty["output_tokens_per_s"]) == (None, None, None)
