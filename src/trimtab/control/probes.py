"""The newest probe of each model, as `trimtab models probe` kept them."""

from collections.abc import Callable, Mapping

import msgspec

from trimtab.catalog import ProbeResult, read_probe
from trimtab.store import Probe, ProbeStore

Probes = Callable[[], Mapping[str, ProbeResult]]
"""The newest by ``provider:model``, as they stand when it is called."""


def save_probe(store: ProbeStore, probe: ProbeResult) -> None:
    """Keep a probe; from now on it is the newest of its model.

    Raises:
        StoreError: the database failed.
    """
    store.add(
        Probe(
            model=probe.model,
            measured_at_us=probe.measured_at_us,
            n_samples=probe.n_calls,
            facts=msgspec.to_builtins(probe),
        )
    )


def latest_probes(store: ProbeStore) -> dict[str, ProbeResult]:
    """Return the newest probe of each model; measurements of another form are passed over.

    Raises:
        StoreError: the database failed.
    """
    found: dict[str, ProbeResult] = {}
    for row in store.list_probes():
        if row.model not in found:
            try:
                found[row.model] = read_probe(row.facts)
            except msgspec.ValidationError:
                continue  # what somebody else measured, or a version to come
    return found
