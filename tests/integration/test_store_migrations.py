import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from trimtab.core.errors import StoreError
from trimtab.store import Database, migrate, open_database
from trimtab.store.tables import metadata

MIGRATE = "import sys; from trimtab.store import open_database; open_database(sys.argv[1]).close()"


def test_four_processes_that_migrate_a_fresh_database_at_once_all_succeed(database_url: str) -> None:
    workers = [
        subprocess.Popen([sys.executable, "-c", MIGRATE, database_url], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]

    failures = [worker.communicate(timeout=60)[1] for worker in workers]

    assert [worker.returncode for worker in workers] == [0] * 4, failures


def test_the_migrations_make_the_tables_the_code_speaks_of(database_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    database = open_database(database_url)
    with database.reading() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    database.close()

    assert differences == []


def test_migrating_again_changes_nothing(database_url: str) -> None:
    for _ in range(2):
        database = open_database(database_url)
        with database.reading() as connection:
            assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1
        database.close()


def test_a_database_of_the_first_version_gets_the_new_tables_and_keeps_its_rows(database_url: str) -> None:
    database = open_database(database_url)
    with database.writing() as connection:
        for table in ("artifacts", "probes", "evaluation_suites", "evaluation_runs", "evaluation_results"):
            metadata.tables[table].drop(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        connection.execute(text("INSERT INTO state (name, version) VALUES ('keys', 3)"))

    migrate(database)

    with database.reading() as connection:
        assert connection.execute(text("SELECT version FROM state WHERE name = 'keys'")).scalar_one() == 3
        assert connection.execute(text("SELECT count(*) FROM artifacts")).scalar_one() == 0
        assert connection.execute(text("SELECT count(*) FROM evaluation_results")).scalar_one() == 0
    database.close()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(database_url: str) -> None:
    database = open_database(database_url)
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(StoreError, match="newer Trimtab: its schema is '9999', this version knows '0003'"):
        migrate(database)
    database.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("not a url", "cannot be read"),
        ("mysql://host/name", "names 'mysql'"),
        ("sqlite://", "names no file"),
        ("sqlite:////proc/nowhere/t.db", "cannot be opened"),
    ],
)
def test_a_wrong_url_is_refused_with_a_way_out(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        Database(url)

    assert caught.value.hint


def test_an_unreachable_server_is_named_without_its_password() -> None:
    with pytest.raises(StoreError, match="failed") as caught:
        open_database("postgresql://someone:hunter2@127.0.0.1:1/trimtab")

    assert "hunter2" not in caught.value.message


def test_the_sqlite_file_is_private_and_write_ahead(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'new' / 't.db'}")
    with database.reading() as connection:
        journal, vacuum = (connection.execute(text(f"PRAGMA {n}")).scalar() for n in ("journal_mode", "auto_vacuum"))
    database.close()

    assert (tmp_path / "new" / "t.db").stat().st_mode & 0o077 == 0
    assert (journal, vacuum) == ("wal", 2)
