"""Opening a database with the tables of this version: Alembic, driven from here, one process at a time.

Four processes that migrate a fresh database at once fail on both databases without a lock (measured: 3 of 4 on
PostgreSQL, 1 of 4 on SQLite), so SQLite uses a lock file beside the database and PostgreSQL an advisory lock.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock

from sqlalchemy import Connection, inspect

from trimtab.core.errors import StoreError
from trimtab.store.database import MIGRATION_LOCK, Database, Durability

HEAD = "0003"
"""The newest migration; equal to it means there is nothing to do, and Alembic is not even imported."""
_FOLDER = Path(__file__).parent / "migrations"
_ALEMBIC_IS_GLOBAL = Lock()


def open_database(url: str, *, durability: Durability = "normal") -> Database:
    """Return a database whose tables are this version's.

    Raises:
        StoreError: wrong URL, unreachable, or written by a newer Trimtab.
    """
    database = Database(url, durability=durability)
    try:
        migrate(database)
    except StoreError:
        database.close()
        raise
    return database


def migrate(database: Database) -> None:
    """Bring the schema to :data:`HEAD`. Safe from several processes at once.

    Raises:
        StoreError: unreachable, or at a revision this version does not know.
    """
    with database.reading() as connection:
        revision = _revision_of(connection)
    if revision == HEAD:
        return
    with _one_process(database):
        if database.path is not None:
            _prepare_file(database.path)
        with database.writing() as connection:
            if not database.is_sqlite:
                database.lock(connection, MIGRATION_LOCK)
            _upgrade(connection, database.name)


def _revision_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
    return None if row is None else str(row[0])


@contextmanager
def _one_process(database: Database) -> Iterator[None]:
    if database.path is None:
        yield
        return
    lock = os.open(database.path.with_name(database.path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _prepare_file(path: Path) -> None:
    """Set what SQLite fixes in the file: the write-ahead log, and pages that can be given back."""
    try:
        with closing(sqlite3.connect(path, timeout=15.0, isolation_level=None)) as connection:
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # takes effect on a file without tables only
            connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.Error as exc:
        raise StoreError(f"The database file {path} cannot be used: {exc}.", hint="Is it a SQLite file?") from exc


def _upgrade(connection: Connection, name: str) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from alembic.script.revision import ResolutionError
    from alembic.util import CommandError

    script = ScriptDirectory(_FOLDER)
    try:
        with (
            _ALEMBIC_IS_GLOBAL,
            EnvironmentContext(
                Config(), script, fn=lambda revision, _: script._upgrade_revs("head", revision)
            ) as environment,
        ):
            environment.configure(connection=connection, render_as_batch=True)
            environment.run_migrations()
    except (CommandError, ResolutionError) as exc:
        raise StoreError(
            f"The database {name} was written by a newer Trimtab: its schema is {_revision_of(connection)!r}, "
            f"this version knows {HEAD!r}.",
            hint="Use that newer version, or restore the backup made before the upgrade.",
        ) from exc
