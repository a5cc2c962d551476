from collections.abc import Iterator
from pathlib import Path

import pytest

from trimtab.store import Database, open_database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty, migrated database of each kind."""
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated SQLite database, for what the other kind does not have."""
    opened = open_database(f"sqlite:///{tmp_path / 'trimtab.db'}")
    yield opened
    opened.close()


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    """An empty, migrated PostgreSQL database, for what the other kind does not have."""
    opened = open_database(postgres_url)
    yield opened
    opened.close()
