"""What was measured of a model where it serves: speed, memory, context."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import Row, Select, select

from trimtab.store.database import Database
from trimtab.store.rows import clean
from trimtab.store.tables import probes


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement of a model."""

    model: str
    """``provider:model``."""
    measured_at_us: int
    n_samples: int
    """Requests behind the figures."""
    facts: Mapping[str, object]
    """JSON, each name with its unit: ``ttft_p50_ms``, ``memory_bytes``, ``power_w``. What nobody measured is absent."""


class ProbeStore:
    """The measurements. Rows are only added, and the newest holds.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, probe: Probe) -> None:
        """Keep a measurement; a second one of the same model and instant takes the place of the first.

        Raises:
            StoreError: the database failed, or a number is larger than it takes.
        """
        row = {**msgspec.structs.asdict(probe), "model": clean(probe.model), "facts": _packed(probe.facts)}
        insert = self._database.insert(probes)
        changed = {name: insert.excluded[name] for name in ("n_samples", "facts")}
        with self._database.writing() as connection:
            connection.execute(
                insert.on_conflict_do_update(index_elements=["model", "measured_at_us"], set_=changed), row
            )

    def latest(self, model: str) -> Probe | None:
        """Return the newest measurement of a model."""
        found = self._all(_newest_first().where(probes.c.model == clean(model)).limit(1))
        return found[0] if found else None

    def list_probes(self, model: str | None = None) -> list[Probe]:
        """Return the measurements of a model, or all, the newest first."""
        query = _newest_first()
        return self._all(query if model is None else query.where(probes.c.model == clean(model)))

    def _all(self, query: Select[tuple[object, ...]]) -> list[Probe]:
        with self._database.reading() as connection:
            return [_probe(row) for row in connection.execute(query)]


def _newest_first() -> Select[tuple[object, ...]]:
    return select(probes).order_by(probes.c.measured_at_us.desc(), probes.c.model)


def _probe(row: Row[tuple[object, ...]]) -> Probe:
    return Probe(
        model=row.model,
        measured_at_us=row.measured_at_us,
        n_samples=row.n_samples,
        facts=msgspec.json.decode(row.facts, type=dict[str, object]),
    )


def _packed(facts: Mapping[str, object]) -> str | None:
    return clean(msgspec.json.encode(facts, order="sorted").decode())
