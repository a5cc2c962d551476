"""Counters that say "something changed": how a worker learns of a new policy or key without reading either."""

from sqlalchemy import Connection, func, select

from trimtab.store.database import Database
from trimtab.store.tables import state


def bump(database: Database, connection: Connection, name: str) -> None:
    """Raise a counter, in the transaction of the change that it announces."""
    insert = database.insert(state)
    raised = insert.on_conflict_do_update(index_elements=["name"], set_={"version": state.c.version + 1})
    connection.execute(raised, {"name": name, "version": 1})


def version_of(connection: Connection, name: str) -> int:
    """Return a counter, 0 before it was first raised."""
    return connection.execute(select(state.c.version).where(state.c.name == name)).scalar() or 0


class StateWatcher:
    """Tells whether a policy or key changed, in whichever process.

    Args:
        database: Where the counters are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def version(self) -> int:
        """Return a number that is another one after every change.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._database.reading() as connection:
            return int(connection.execute(select(func.coalesce(func.sum(state.c.version), 0))).scalar_one())
