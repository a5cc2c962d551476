"""The operators' desk over a configuration: for the control listener, and for one command."""

from collections.abc import Iterator
from contextlib import contextmanager

from trimtab.control import Desk, latest_probes
from trimtab.core import Clock, SystemClock
from trimtab.store import CallReader, Database, ProbeStore, open_database
from trimtab.wiring.evidence import load_evidence
from trimtab.wiring.keys import secrets_of
from trimtab.wiring.pool import pool_of, price_book_of
from trimtab.wiring.settings import Settings


def build_desk(settings: Settings, database: Database, clock: Clock | None = None) -> Desk:
    """Return a desk on an open database, which stays the caller's to close.

    Raises:
        ConfigurationError: the configured models cannot be used.
    """
    reader = CallReader(database)
    return Desk(
        database=database,
        pool=pool_of(settings),
        prices=price_book_of(settings, latest_probes(ProbeStore(database))),
        evidence=lambda: load_evidence(reader),
        secrets=secrets_of(settings),
        clock=clock or SystemClock(),
        policy_file=settings.policy_file,
    )


@contextmanager
def open_desk(settings: Settings) -> Iterator[Desk]:
    """Give a desk on the settings' database, made and brought up to date where needed.

    Raises:
        ConfigurationError: the configured models cannot be used.
        StoreError: the database cannot be opened.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = open_database(settings.database_url)
    try:
        yield build_desk(settings, database)
    finally:
        database.close()
