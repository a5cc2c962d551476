"""Model files and adapters under the digest of their bytes, and whether they may serve."""

import re
from collections.abc import Mapping
from typing import Literal

import msgspec
from sqlalchemy import Connection, Row, Select, select

from trimtab.core import Clock
from trimtab.core.errors import NotFound
from trimtab.evaluation import GateOutcome, GateVerdict
from trimtab.store.audit import AuditLog
from trimtab.store.database import Database
from trimtab.store.rows import clean
from trimtab.store.state import bump
from trimtab.store.tables import artifacts

COUNTER = "artifacts"
"""Counter in ``state``."""
UNJUDGED: Literal["unjudged"] = "unjudged"
ArtifactKind = Literal["model", "adapter"]
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """A model file or adapter."""

    digest: str
    """Sha256 of the file, 64 hexadecimal digits."""
    kind: ArtifactKind
    name: str
    path: str
    parent_digest: str | None = None
    """What it was quantized or tuned from."""
    method: str | None = None
    """How it was made, such as ``f16``, ``q8_0`` or ``q4_0``."""
    size_bytes: int
    n_parameters: int | None = None
    """Recorded, never a rule."""
    precision: str | None = None
    facts: Mapping[str, object]
    """What was measured of it; JSON."""
    gate_outcome: GateOutcome | Literal["unjudged"] = UNJUDGED
    gate_record: GateVerdict | None = None
    """The newest verdict."""
    registered_at_us: int

    @property
    def is_blocked(self) -> bool:
        """Whether it must not serve: it has a parent, or was judged, and its newest gate did not pass it."""
        needs_gate = self.parent_digest is not None or self.gate_outcome != UNJUDGED
        return needs_gate and self.gate_outcome != GateOutcome.PASS


class ArtifactStore:
    """The artifacts, and the changes made to them. Every change is one transaction with its audit record.

    Args:
        database: Where they are.
        audit: The chained log.
        clock: Dates the changes.
    """

    def __init__(self, database: Database, audit: AuditLog, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    def register(
        self,
        *,
        digest: str,
        kind: ArtifactKind,
        name: str,
        path: str,
        size_bytes: int,
        actor: str,
        parent_digest: str | None = None,
        method: str | None = None,
        n_parameters: int | None = None,
        precision: str | None = None,
        facts: Mapping[str, object] | None = None,
    ) -> Artifact:
        """Register a file and return its artifact; one whose digest is there stays as it is.

        Raises:
            NotFound: there is no such parent.
            ValueError: ``digest`` is no sha256, or the artifact is its own parent.
        """
        if not _SHA256.fullmatch(digest) or digest == parent_digest:
            raise ValueError(f"{digest[:80]!r} is not 64 lower-case hexadecimal digits, or is its own parent")
        artifact = Artifact(
            digest=digest,
            kind=kind,
            name=clean(name) or "",
            path=clean(path) or "",
            parent_digest=parent_digest,
            method=clean(method),
            size_bytes=size_bytes,
            n_parameters=n_parameters,
            precision=clean(precision),
            facts=facts or {},
            registered_at_us=self._clock.now_us(),
        )
        with self._database.writing() as connection:
            if _row_in(connection, digest) is None:
                if parent_digest is not None:
                    _artifact_in(connection, parent_digest)
                connection.execute(artifacts.insert(), _row(artifact))
                self._note(connection, "artifact.register", artifact, actor, _origin(artifact))
            return _artifact_in(connection, digest)

    def measure(self, digest: str, facts: Mapping[str, object], *, actor: str) -> Artifact:
        """Add measured facts, or replace those of the same names.

        Raises:
            NotFound: there is no such artifact.
        """
        with self._database.writing() as connection:
            before = _artifact_in(connection, digest)
            self._change(connection, digest, facts=_packed({**before.facts, **facts}))
            after = _artifact_in(connection, digest)
            if after != before:
                self._note(connection, "artifact.measure", before, actor, {"name": before.name, "facts": facts})
            return after

    def judge(self, digest: str, verdict: GateVerdict, *, actor: str) -> Artifact:
        """Keep a gate's verdict of an artifact against its parent; the newest holds, the same again changes nothing.

        Raises:
            NotFound: there is no such artifact.
            ValueError: the verdict is not of this artifact's digest against its parent's.
        """
        with self._database.writing() as connection:
            before = _artifact_in(connection, digest)
            judged = (verdict.candidate.model_digest, verdict.baseline.model_digest)
            if judged != (before.digest, before.parent_digest):
                raise ValueError(f"the verdict is of {judged}, not of ({before.digest!r}, {before.parent_digest!r})")
            if before.gate_record != verdict:
                self._change(connection, digest, gate_outcome=clean(verdict.outcome), gate_record=_packed(verdict))
                self._note(connection, "artifact.judge", before, actor, _judgement(before, verdict))
            return _artifact_in(connection, digest)

    def find(self, digest: str) -> Artifact | None:
        """Return the artifact with this digest."""
        with self._database.reading() as connection:
            row = _row_in(connection, digest)
        return None if row is None else _artifact(row)

    def list_artifacts(self) -> list[Artifact]:
        """Return all, the oldest first."""
        return self._all(_ordered())

    def children(self, digest: str) -> list[Artifact]:
        """Return what was made from this artifact, the oldest first."""
        return self._all(_ordered().where(artifacts.c.parent_digest == clean(digest)))

    def is_blocked(self, digest: str) -> bool:
        """Return whether the artifact must not serve; see ``Artifact.is_blocked``.

        Raises:
            NotFound: there is no such artifact, and what is not registered does not serve either.
        """
        with self._database.reading() as connection:
            return _artifact_in(connection, digest).is_blocked

    def _all(self, query: Select[tuple[object, ...]]) -> list[Artifact]:
        with self._database.reading() as connection:
            return [_artifact(row) for row in connection.execute(query)]

    def _change(self, connection: Connection, digest: str, **columns: str | None) -> None:
        connection.execute(artifacts.update().where(artifacts.c.digest == digest), columns)

    def _note(
        self, connection: Connection, action: str, artifact: Artifact, actor: str, detail: Mapping[str, object]
    ) -> None:
        self._audit.append(connection, actor=actor, action=action, subject=artifact.digest, detail=detail)
        bump(self._database, connection, COUNTER)


def _ordered() -> Select[tuple[object, ...]]:
    return select(artifacts).order_by(artifacts.c.registered_at_us, artifacts.c.digest)


def _row_in(connection: Connection, digest: str) -> Row[tuple[object, ...]] | None:
    return connection.execute(select(artifacts).where(artifacts.c.digest == clean(digest))).first()


def _artifact_in(connection: Connection, digest: str) -> Artifact:
    row = _row_in(connection, digest)
    if row is None:
        raise NotFound(f"There is no artifact {digest[:80]!r}.", hint="Register the file first.")
    return _artifact(row)


def _artifact(row: Row[tuple[object, ...]]) -> Artifact:
    fields = {name: getattr(row, name) for name in Artifact.__struct_fields__}
    fields["facts"] = msgspec.json.decode(row.facts, type=dict[str, object])
    fields["gate_outcome"] = UNJUDGED if row.gate_outcome == UNJUDGED else GateOutcome(row.gate_outcome)
    if row.gate_record is not None:
        fields["gate_record"] = msgspec.json.decode(row.gate_record, type=GateVerdict)
    return Artifact(**fields)


def _row(artifact: Artifact) -> dict[str, object]:
    return {**msgspec.structs.asdict(artifact), "facts": _packed(artifact.facts)}


def _packed(content: object) -> str | None:
    return clean(msgspec.json.encode(content, order="sorted").decode())


def _origin(artifact: Artifact) -> dict[str, object]:
    """Return what a new artifact is, without what is unknown."""
    names = ("kind", "name", "path", "parent_digest", "method", "size_bytes", "n_parameters", "precision", "facts")
    return {name: value for name in names if (value := getattr(artifact, name)) not in (None, {})}


def _judgement(artifact: Artifact, verdict: GateVerdict) -> dict[str, object]:
    return {"name": artifact.name, "previous": artifact.gate_outcome, "verdict": verdict}
