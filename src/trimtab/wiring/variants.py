"""Model files and their verdicts: what a quantization ladder found is kept, and holds when an engine starts."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from trimtab.core import SystemClock
from trimtab.evaluation import GateOutcome
from trimtab.serving import EngineConfig, digest_of
from trimtab.serving.gguf import AdapterInfo, GgufInfo, ParityRow, read_adapter
from trimtab.serving.variants import Ladder, LadderRow
from trimtab.store import Artifact, ArtifactStore, AuditLog, open_database
from trimtab.wiring.keys import secrets_of
from trimtab.wiring.settings import Settings

_FACTS = ("output_tokens_per_s", "memory_bytes", "perplexity", "perplexity_drift", "overall", "strata", "notes")


def register_ladder(settings: Settings, ladder: Ladder, *, actor: str) -> None:
    """Keep every file of a ladder with its lineage, figures and verdict; the newest verdict holds.

    Raises:
        StoreError: the database cannot be opened or written.
    """
    with _artifacts(settings) as artifacts:
        _register(artifacts, ladder.parent, None, actor)
        for row in ladder.variants:
            _register(artifacts, row, ladder.parent.digest, actor)


def register_exported(
    settings: Settings,
    files: Sequence[GgufInfo],
    parity: Mapping[str, Sequence[ParityRow]],
    *,
    adapter: Path | None,
    actor: str,
) -> None:
    """Keep exported files with how close each comes to its original.

    Args:
        settings: Whose registry.
        files: The export first, then what was quantized from it.
        parity: Rows of the comparison by the file's name, with and without the adapter.
        adapter: The exported adapter, where there is one.
        actor: Who did it, for the audit log.

    Raises:
        StoreError: the database cannot be opened or written.
    """
    with _artifacts(settings) as artifacts:
        parent_digest = None
        for info in files:
            digest = digest_of(info.path)
            artifacts.register(
                digest=digest,
                kind="model",
                name=info.path.stem,
                path=str(info.path.resolve()),
                size_bytes=info.size_bytes,
                actor=actor,
                parent_digest=parent_digest,
                method=info.method,
                n_parameters=info.n_parameters,
                precision=info.precision,
            )
            rows = parity.get(info.path.stem, ())
            if rows:
                artifacts.measure(digest, {"parity": msgspec.to_builtins(list(rows))}, actor=actor)
            parent_digest = parent_digest or digest
        if adapter is not None and parent_digest is not None:
            _register_adapter(artifacts, read_adapter(adapter), parent_digest, actor)


def _register_adapter(artifacts: ArtifactStore, info: AdapterInfo, base_digest: str, actor: str) -> None:
    """An adapter is judged by its own task's cases, not by its base: it has a base and no parent."""
    artifacts.register(
        digest=digest_of(info.path),
        kind="adapter",
        name=info.path.stem,
        path=str(info.path.resolve()),
        size_bytes=info.size_bytes,
        actor=actor,
        n_parameters=info.n_parameters,
        facts={"base": base_digest, "rank": info.rank, "alpha": info.alpha},
    )


def registered_artifacts(settings: Settings) -> list[Artifact]:
    """Return every registered model file, the oldest first.

    Raises:
        StoreError: the database cannot be opened.
    """
    with _artifacts(settings) as artifacts:
        return artifacts.list_artifacts()


def blocked_engine(settings: Settings, engine: EngineConfig) -> str | None:
    """Return why an engine's file must not serve, or ``None``.

    Raises:
        StoreError: the database cannot be opened.
    """
    with _artifacts(settings) as artifacts:
        return reason_against(engine, artifacts)


@contextmanager
def _artifacts(settings: Settings) -> Iterator[ArtifactStore]:
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    database, clock = open_database(settings.database_url), SystemClock()
    try:
        yield ArtifactStore(database, AuditLog(database, secrets_of(settings).audit_key, clock), clock)
    finally:
        database.close()


def _register(artifacts: ArtifactStore, row: LadderRow, parent_digest: str | None, actor: str) -> None:
    artifacts.register(
        digest=row.digest,
        kind="model",
        name=row.name,
        path=str(Path(row.path).resolve()),
        size_bytes=row.size_bytes,
        actor=actor,
        parent_digest=parent_digest,
        method=row.method,
        n_parameters=row.n_parameters,
        precision=row.precision,
    )
    facts = {name: value for name in _FACTS if (value := getattr(row, name)) not in (None, ())}
    if facts:
        artifacts.measure(row.digest, msgspec.to_builtins(facts), actor=actor)
    if row.verdict is not None:
        artifacts.judge(row.digest, row.verdict, actor=actor)


def refused_engines(settings: Settings, artifacts: ArtifactStore) -> dict[str, str]:
    """Return the engines whose files must not serve, and why; hashes each file, which takes a second for a gigabyte.

    A file that nobody registered may serve: who downloads a quantized model has its maker's word for it. One that was
    made here has to pass against the file that it was made from.

    Raises:
        StoreError: the database cannot be read.
    """
    found = ((engine.name, reason_against(engine, artifacts)) for engine in settings.engines)
    return {name: reason for name, reason in found if reason is not None}


def reason_against(engine: EngineConfig, artifacts: ArtifactStore) -> str | None:
    """Return why an engine's file must not serve, or ``None``.

    Raises:
        StoreError: the database cannot be read.
    """
    if engine.kind != "llama_cpp" or engine.path is None or not engine.path.is_file():
        return None
    artifact = artifacts.find(digest_of(engine.path))
    if artifact is None or not artifact.is_blocked:
        return None
    return f"{engine.path.name} is blocked: {_verdict(artifact)}. `trimtab models variants` shows every file."


def _verdict(artifact: Artifact) -> str:
    record = artifact.gate_record
    if record is None:
        return "it was quantized here and never judged against its parent"
    against = [each for each in record.strata if each.outcome is not GateOutcome.PASS]
    return "; ".join(f"on {each.stratum} {each.reason}" for each in against)
