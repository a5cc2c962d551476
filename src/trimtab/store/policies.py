"""Policy versions, which are only ever added, and the pointer that says which one is in force."""

import msgspec
from sqlalchemy import Row, Select, func, select

from trimtab.core import Clock
from trimtab.store.audit import AuditLog
from trimtab.store.database import Database
from trimtab.store.rows import clean
from trimtab.store.state import bump
from trimtab.store.tables import policy_pointer, policy_versions


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a policy, and the move that put it in force."""

    version: str
    name: str
    canonical: str
    """The canonical JSON whose sha256 is the version."""
    source: str
    """The file as its author wrote it."""
    origin: str
    """Where the file was read from."""
    author: str
    """Who brought the version first."""
    created_at_us: int
    actor: str
    """Who put it in force."""
    action: str
    """``policy.apply`` or ``policy.rollback``."""
    applied_at_us: int


class PolicyStore:
    """The versions and the pointer. Nothing is ever changed or removed: going back is one more move of the pointer.

    Args:
        database: Where they are.
        clock: Dates the moves.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def current(self) -> PolicyVersion | None:
        """Return the version in force, or ``None`` where none ever was."""
        with self._database.reading() as connection:
            row = connection.execute(_moves().limit(1)).first()
        return None if row is None else _version(row)

    def history(self) -> list[PolicyVersion]:
        """Return every move of the pointer, the newest first."""
        with self._database.reading() as connection:
            return [_version(row) for row in connection.execute(_moves())]

    def find(self, prefix: str) -> list[PolicyVersion]:
        """Return the versions that begin with these digits, each with its newest move, the newest first."""
        begins = func.substr(policy_versions.c.version, 1, len(prefix)) == clean(prefix)
        with self._database.reading() as connection:
            found: dict[str, PolicyVersion] = {}
            for row in connection.execute(_moves().where(begins)):
                found.setdefault(row.version, _version(row))
        return list(found.values())

    def put_in_force(
        self,
        *,
        version: str,
        name: str,
        canonical: str,
        source: str,
        origin: str,
        actor: str,
        action: str,
        audit: AuditLog,
    ) -> str | None:
        """Point to a version, in one transaction with its audit record, and return the version in force before.

        The version that is in force already changes nothing.
        """
        now_us, by = self._clock.now_us(), clean(actor)
        texts = {"version": version, "name": name, "canonical": canonical, "source": source, "origin": origin}
        row = {column: clean(value) for column, value in texts.items()}
        with self._database.writing() as connection:
            last = connection.execute(select(policy_pointer).order_by(policy_pointer.c.seq.desc()).limit(1)).first()
            previous = None if last is None else str(last.version)
            if previous == version:
                return previous
            add = self._database.insert(policy_versions).on_conflict_do_nothing()
            connection.execute(add, {**row, "author": by, "created_at_us": now_us})
            move = {"seq": 1 if last is None else last.seq + 1, "version": version}
            connection.execute(policy_pointer.insert(), {**move, "action": action, "actor": by, "at_us": now_us})
            detail = {"name": name, "previous": previous, "origin": origin}
            audit.append(connection, actor=actor, action=action, subject=version, detail=detail)
            bump(self._database, connection, "policy")
        return previous


def _moves() -> Select[tuple[object, ...]]:
    """Return the query for the pointer's moves with their versions, the newest first."""
    moved = policy_pointer.c
    return (
        select(policy_versions, moved.action, moved.actor, moved.at_us.label("applied_at_us"))
        .join(policy_pointer, moved.version == policy_versions.c.version)
        .order_by(moved.seq.desc())
    )


def _version(row: Row[tuple[object, ...]]) -> PolicyVersion:
    return PolicyVersion(**{name: getattr(row, name) for name in PolicyVersion.__struct_fields__})
