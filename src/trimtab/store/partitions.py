"""PostgreSQL's day partitions, made when a day's first row is about to come."""

from collections.abc import Iterable

from sqlalchemy import Connection, text
from sqlalchemy.schema import DDL

PARTITIONED = ("calls", "bodies")


def make_days(connection: Connection, days: Iterable[int]) -> None:
    """Make the partitions that these days lack; nothing is remembered, since another process may drop one any time."""
    wanted = set(days)
    if wanted:
        for day in sorted(wanted - set(existing_days(connection))):
            _make(connection, day)


def partition_of(table: str, day: int) -> str:
    """Return the name of a day's partition.

    >>> partition_of("calls", 20000), partition_of("calls", -3)
    ('calls_d20000', 'calls_dm3')
    """
    return f"{table}_d{day}" if day >= 0 else f"{table}_dm{-day}"


def existing_days(connection: Connection) -> list[int]:
    """Return the days that have a partition, the oldest first."""
    names = connection.execute(
        text(
            "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid"
            " WHERE inhparent = 'calls'::regclass"
        )
    ).scalars()
    return sorted(int(name.removeprefix("calls_d").replace("m", "-")) for name in names)


def drop_day(connection: Connection, day: int) -> None:
    """Remove a day's rows with their partition."""
    for table in PARTITIONED:
        _run(connection, "DROP TABLE IF EXISTS %(name)s", name=partition_of(table, day))


def _make(connection: Connection, day: int) -> None:
    """Make a table and attach it: unlike ``PARTITION OF`` this does not wait for running readers."""
    for table in PARTITIONED:
        name = partition_of(table, day)
        exists = text("SELECT to_regclass(:name) IS NOT NULL").bindparams(name=name)
        if connection.execute(exists).scalar_one():
            continue
        _run(connection, "CREATE TABLE %(name)s (LIKE %(parent)s INCLUDING DEFAULTS)", name=name, parent=table)
        attach = "ALTER TABLE %(parent)s ATTACH PARTITION %(name)s FOR VALUES FROM (%(first)s) TO (%(next)s)"
        _run(connection, attach, parent=table, name=name, first=day, next=day + 1)


def _run(connection: Connection, statement: str, **parts: int | str) -> None:
    """Run a statement that takes no bound values; the parts are table names of ours and day numbers."""
    connection.execute(DDL(statement, context=parts))  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
