"""What may serve, by the digest of its bytes; every change is in the audit chain."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.support.clock import StillClock
from tests.support.evaluation import outcomes_of, run_of, suite_of
from tests.support.store_rig import NOON_US, count

from trimtab.core.errors import NotFound
from trimtab.evaluation import GateOutcome, GateVerdict, compare_runs, gate
from trimtab.store import Artifact, ArtifactStore, AuditLog, Database, StateWatcher

ROOT = Path(__file__).resolve().parents[2]
PARENT, Q8, Q4 = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
def clock() -> StillClock:
    return StillClock(NOON_US)


@pytest.fixture
def audit(database: Database, clock: StillClock) -> AuditLog:
    return AuditLog(database, b"k" * 32, clock)


@pytest.fixture
def store(database: Database, audit: AuditLog, clock: StillClock) -> ArtifactStore:
    return ArtifactStore(database, audit, clock)


def register(store: ArtifactStore, digest: str, parent: str | None = None, name: str = "tiny") -> Artifact:
    return store.register(
        digest=digest, kind="model", name=name, path=f"models/{name}.gguf", parent_digest=parent, method="q8_0",
        size_bytes=5_000_000_000, n_parameters=8_000_000_000, precision="q8_0", facts={"memory_bytes": 7}, actor="ada",
    )  # fmt: skip


def verdict(*, losses: int, n: int = 1_000, digest: str = Q8, parent: str = PARENT) -> GateVerdict:
    suite = suite_of({"routine": n})
    right, found = outcomes_of(both=n - losses, candidate_only=0, baseline_only=losses, neither=0)
    baseline = run_of(suite, {"routine": right}, "f16", parent)
    return gate(compare_runs(baseline, run_of(suite, {"routine": found}, "q8", digest)))


def test_what_is_registered_comes_back_and_is_dated(store: ArtifactStore) -> None:
    assert (store.find(PARENT), store.list_artifacts(), store.children(PARENT)) == (None, [], [])

    made = register(store, PARENT)

    assert store.find(PARENT) == made
    assert (made.registered_at_us, made.size_bytes, made.facts) == (NOON_US, 5_000_000_000, {"memory_bytes": 7})
    assert (made.gate_outcome, made.gate_record) == ("unjudged", None)


def test_registering_a_digest_again_changes_nothing(store: ArtifactStore, audit: AuditLog, clock: StillClock) -> None:
    first = register(store, PARENT)
    clock.wall_us += 5

    assert register(store, PARENT, name="another") == first
    assert len(audit.records(10)) == 1


def test_children_are_listed_by_parent_and_everything_by_age(store: ArtifactStore, clock: StillClock) -> None:
    for digest, parent in ((PARENT, None), (Q8, PARENT), (Q4, PARENT)):
        clock.wall_us += 1
        register(store, digest, parent)

    assert [found.digest for found in store.list_artifacts()] == [PARENT, Q8, Q4]
    assert [found.digest for found in store.children(PARENT)] == [Q8, Q4]
    assert store.children(Q8) == []


def test_s27_a_variant_is_blocked_until_its_gate_passes_and_again_when_a_later_one_does_not(
    store: ArtifactStore,
) -> None:
    register(store, PARENT)
    register(store, Q8, PARENT)
    assert (store.is_blocked(PARENT), store.is_blocked(Q8)) == (False, True)

    for judged, is_blocked in ((verdict(losses=0), False), (verdict(losses=1, n=60), True), (verdict(losses=60), True)):
        found = store.judge(Q8, judged, actor="ada")
        assert (found.gate_outcome, found.gate_record) == (judged.outcome, judged)
        assert store.is_blocked(Q8) is is_blocked, judged.outcome
    assert found.gate_outcome is GateOutcome.FAIL


def test_a_verdict_of_other_weights_is_refused(store: ArtifactStore) -> None:
    register(store, PARENT)
    register(store, Q8, PARENT)

    for wrong in (verdict(losses=0, digest=Q4), verdict(losses=0, parent=Q4)):
        with pytest.raises(ValueError, match="the verdict is of"):
            store.judge(Q8, wrong, actor="ada")

    assert store.is_blocked(Q8)


def test_measured_facts_are_added_to_those_there(store: ArtifactStore) -> None:
    register(store, PARENT)

    found = store.measure(PARENT, {"decode_tokens_per_s": 41.5, "memory_bytes": 9}, actor="ada")

    assert found.facts == {"decode_tokens_per_s": 41.5, "memory_bytes": 9}


def test_each_change_is_one_audit_record_and_announced_and_no_change_is_none(
    store: ArtifactStore, audit: AuditLog, database: Database
) -> None:
    register(store, PARENT)
    register(store, Q8, PARENT)
    before = StateWatcher(database).version()
    store.measure(Q8, {"memory_bytes": 8}, actor="bob")
    store.judge(Q8, verdict(losses=60), actor="eve")
    after = StateWatcher(database).version()
    store.measure(Q8, {"memory_bytes": 8}, actor="bob")
    store.judge(Q8, verdict(losses=60), actor="eve")

    found = [(r.action, r.subject, r.actor) for r in audit.stream()]

    assert found == [
        ("artifact.register", PARENT, "ada"),
        ("artifact.register", Q8, "ada"),
        ("artifact.measure", Q8, "bob"),
        ("artifact.judge", Q8, "eve"),
    ]
    detail = msgspec.json.decode(audit.records(1)[0].detail)
    assert (detail["name"], detail["previous"], detail["verdict"]["outcome"]) == ("tiny", "unjudged", "fail")
    assert before < after == StateWatcher(database).version()
    assert audit.verify().is_intact


def test_a_change_that_fails_leaves_neither_row_nor_record(store: ArtifactStore, database: Database) -> None:
    with pytest.raises(NotFound):
        register(store, Q8, PARENT)

    assert (count(database, "artifacts"), count(database, "audit")) == (0, 0)


def test_an_unknown_digest_is_refused_everywhere(store: ArtifactStore) -> None:
    for ask in (
        lambda: store.is_blocked(Q8),
        lambda: store.measure(Q8, {}, actor="ada"),
        lambda: store.judge(Q8, verdict(losses=0), actor="ada"),
    ):
        with pytest.raises(NotFound, match="no artifact"):
            ask()


@pytest.mark.parametrize(
    ("digest", "parent"), [("abc", None), ("A" * 64, None), (PARENT, PARENT), ("../" + "a" * 61, None)]
)
def test_what_is_no_digest_or_its_own_parent_is_refused(store: ArtifactStore, digest: str, parent: str | None) -> None:
    with pytest.raises(ValueError, match="64 lower-case hexadecimal digits"):
        register(store, digest, parent)


REGISTER = """
import sys
from tests.integration.test_store_artifacts import register
from tests.support.clock import StillClock
from trimtab.store import ArtifactStore, AuditLog, open_database
database = open_database(sys.argv[1])
store = ArtifactStore(database, AuditLog(database, b"k" * 32, StillClock()), StillClock())
for i in range(10):
    register(store, f"{i:064x}")
database.close()
"""


def test_processes_that_register_the_same_files_at_once_register_each_once(
    database: Database, database_url: str, store: ArtifactStore, audit: AuditLog
) -> None:
    workers = [
        subprocess.Popen([sys.executable, "-c", REGISTER, database_url], stderr=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(3)
    ]
    failures = [worker.communicate(timeout=120)[1] for worker in workers]

    assert [worker.returncode for worker in workers] == [0] * 3, failures
    assert len(store.list_artifacts()) == 10
    checked = audit.verify()
    assert (checked.is_intact, checked.n_records) == (True, 10)
