"""The one door to SQLite or PostgreSQL: connections, pragmas, transactions, and errors in Trimtab's own form.

Writers take turns. A write transaction begins with ``BEGIN IMMEDIATE`` on SQLite and with one advisory lock on
PostgreSQL, so "look, then write" needs no retry and two workers never lock roll-up rows in opposite order.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Insert, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from trimtab.core.errors import StoreError

WRITER_LOCK = 7_421_990_001
MIGRATION_LOCK = 7_421_990_002
"""PostgreSQL advisory locks. The numbers are arbitrary; they only have to be ours."""
BUSY_TIMEOUT_S = 15.0

Durability = Literal["normal", "fsync"]


class RowRefused(StoreError):
    """The database will never take this row; trying again cannot help."""


class Database:
    """A pool of connections to one database. Making one connects to nothing.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql://USER@HOST/NAME``.
        durability: ``fsync`` makes SQLite wait for the disk at each commit; ``normal`` survives a killed process
            and may lose the newest commits when the machine itself loses power. PostgreSQL has its own setting.

    Raises:
        StoreError: the URL is not one of the two, or its driver is not installed.
    """

    def __init__(self, url: str, *, durability: Durability = "normal") -> None:
        self._url = _parse(url)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        self.durability = durability
        self._engine = self._build_engine()
        style: Literal["qmark", "format"] = "qmark" if self.is_sqlite else "format"
        self._positional = _dialect_of(self._engine)(paramstyle=style)
        self._compiled: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Database({self.name!r})"

    @property
    def name(self) -> str:
        """The URL without its password."""
        return self._url.render_as_string(hide_password=True)

    @property
    def path(self) -> Path | None:
        """The file, for SQLite."""
        return Path(self._url.database or "") if self.is_sqlite else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one moment of the database and changes nothing."""
        with self._translated(), self._engine.connect() as connection, connection.begin():
            if not self.is_sqlite:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection that holds the writer's turn; commits at the end, or rolls back on an exception."""
        with self._translated(), self._engine.connect() as connection:
            connection = connection.execution_options(is_writing=True)
            with connection.begin():
                if not self.is_sqlite:
                    self.lock(connection, WRITER_LOCK)
                yield connection

    def lock(self, connection: Connection, number: int) -> None:
        """Take a PostgreSQL advisory lock until the transaction ends."""
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%(number)s)", {"number": number})

    def insert(self, table: Table) -> "sqlite.Insert | postgresql.Insert":
        """Return an insert that knows ``ON CONFLICT`` in this database's dialect."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def insert_rows(self, connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows given as tuples in the table's column order.

        The statement is SQLAlchemy's; the rows go to the driver as they are, which takes a third of the time that
        dictionaries take (measured).
        """
        self._execute(connection, f"insert {table.name}", table.insert, rows)

    def add_rows(self, connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows of sums, or add their numbers to the row that has the same primary key.

        Args:
            connection: Of a writing transaction.
            table: Every column outside its primary key is a number that adds up.
            rows: Tuples in the table's column order.
        """

        def adding() -> Insert:
            insert = self.insert(table)
            keys = [column.name for column in table.primary_key]
            sums = {c.name: table.c[c.name] + insert.excluded[c.name] for c in table.columns if c.name not in keys}
            return insert.on_conflict_do_update(index_elements=keys, set_=sums)

        self._execute(connection, f"add {table.name}", adding, rows)

    def _execute(
        self, connection: Connection, name: str, make: Callable[[], Insert], rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """Run a statement, compiled once, over rows in column order."""
        if not rows:
            return
        statement = self._compiled.get(name)
        if statement is None:
            statement = self._compiled[name] = str(make().compile(dialect=self._positional))
        connection.exec_driver_sql(statement, list(rows))

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def _build_engine(self) -> Engine:
        options: dict[str, object] = {"hide_parameters": True, "pool_size": 4, "max_overflow": 12}
        if self.is_sqlite:
            options["connect_args"] = {"timeout": BUSY_TIMEOUT_S, "isolation_level": None, "check_same_thread": False}
        else:
            options["connect_args"] = {"connect_timeout": 5}
            options["pool_pre_ping"] = True
        try:
            engine = create_engine(self._url, **options)
        except ImportError as exc:
            raise StoreError(
                f"The database {self.name} needs a driver that is not installed: {exc}.",
                hint="Install it with `pip install 'trimtab[postgres]'`.",
            ) from exc
        if self.is_sqlite:
            event.listen(engine, "connect", self._set_pragmas)
            event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _set_pragmas(self, connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous=FULL" if self.durability == "fsync" else "PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA temp_store=MEMORY")
        cursor.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (DataError, IntegrityError, OverflowError) as exc:
            raise RowRefused(f"The database {self.name} refused a row: {_reason(exc)}.") from exc
        except SQLAlchemyError as exc:
            raise StoreError(
                f"The database {self.name} failed: {_reason(exc)}.",
                hint="Check that it runs, that its disk has room and that this user may write: `trimtab doctor`.",
            ) from exc


def _parse(url: str) -> URL:
    hint = "Write `sqlite:///path/to/trimtab.db` or `postgresql://user@host/name`."
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise StoreError("The database URL cannot be read.", hint=hint) from exc
    backend = parsed.get_backend_name()
    if backend == "postgres":
        backend = "postgresql"
    if backend not in ("sqlite", "postgresql"):
        raise StoreError(f"The database URL names {backend!r}, which Trimtab does not speak.", hint=hint)
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if not parsed.database or parsed.database == ":memory:":
        raise StoreError("The SQLite URL names no file; several connections share the database.", hint=hint)
    _make_private(Path(parsed.database))
    return parsed.set(drivername="sqlite")


def _make_private(path: Path) -> None:
    """Create the file readable by its owner only: it holds what people asked."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _create(path)
        elif path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        elif not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as exc:
        raise StoreError(
            f"The database file {path} cannot be opened: {exc.strerror}.", hint="Check the folder and who owns it."
        ) from exc


def _create(path: Path) -> None:
    """Create an empty file, and leave one alone that somebody else made meanwhile.

    A file that is there is never opened here: to close it would drop every lock that this process holds on it, SQLite's
    included, and the next command to leave would delete the write-ahead log under a running service.

    Source:
        sqlite.org/howtocorrupt.html, 2.2: "Posix advisory locks canceled by a separate thread doing close()".
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _dialect_of(engine: Engine) -> type[DefaultDialect]:
    dialect = type(engine.dialect)
    assert issubclass(dialect, DefaultDialect)
    return dialect


def _begin_sqlite(connection: Connection) -> None:
    is_writing = connection.get_execution_options().get("is_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


def _reason(exc: BaseException) -> str:
    """Return what went wrong in the driver's words, first line only: the rest may quote values."""
    cause = getattr(exc, "orig", None) or exc
    text = str(cause).strip().splitlines()
    return text[0].rstrip(".") if text else type(cause).__name__
