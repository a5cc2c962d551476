"""Policy versions are only added; the pointer moves; every process learns of it."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.clock import StillClock
from tests.support.store_rig import NOON_US, count

from trimtab.store import AuditLog, Database, PolicyStore, StateWatcher

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clock() -> StillClock:
    return StillClock(NOON_US)


@pytest.fixture
def audit(database: Database, clock: StillClock) -> AuditLog:
    return AuditLog(database, b"k" * 32, clock)


@pytest.fixture
def policies(database: Database, clock: StillClock) -> PolicyStore:
    return PolicyStore(database, clock)


def apply(
    policies: PolicyStore, audit: AuditLog, version: str, actor: str = "ada", action: str = "policy.apply"
) -> str | None:
    return policies.put_in_force(
        version=version,
        name=f"name of {version}",
        canonical=f'{{"v":"{version}"}}',
        source=f"policy: {version}\n",
        origin="policy.yaml",
        actor=actor,
        action=action,
        audit=audit,
    )


def test_without_a_policy_none_is_in_force(policies: PolicyStore) -> None:
    assert (policies.current(), policies.history(), policies.find("a")) == (None, [], [])


def test_the_newest_move_says_what_is_in_force(policies: PolicyStore, audit: AuditLog, clock: StillClock) -> None:
    assert apply(policies, audit, "aaa") is None
    clock.wall_us += 5
    assert apply(policies, audit, "bbb", "bob") == "aaa"

    current = policies.current()
    assert current is not None
    assert (current.version, current.name, current.actor, current.applied_at_us) == (
        "bbb",
        "name of bbb",
        "bob",
        NOON_US + 5,
    )
    assert (current.canonical, current.source, current.origin) == ('{"v":"bbb"}', "policy: bbb\n", "policy.yaml")


def test_going_back_is_one_more_move_and_no_new_version(
    database: Database, policies: PolicyStore, audit: AuditLog, clock: StillClock
) -> None:
    for version in ("aaa", "bbb"):
        apply(policies, audit, version)
    clock.wall_us += 5
    apply(policies, audit, "aaa", "eve", "policy.rollback")

    assert [(move.version, move.action) for move in policies.history()] == [
        ("aaa", "policy.rollback"),
        ("bbb", "policy.apply"),
        ("aaa", "policy.apply"),
    ]
    assert count(database, "policy_versions") == 2
    newest = policies.history()[0]
    assert (newest.author, newest.actor, newest.created_at_us, newest.applied_at_us) == (
        "ada",
        "eve",
        NOON_US,
        NOON_US + 5,
    )


def test_a_version_that_is_there_keeps_its_content(policies: PolicyStore, audit: AuditLog) -> None:
    apply(policies, audit, "aaa")
    apply(policies, audit, "bbb")
    policies.put_in_force(
        version="aaa", name="x", canonical="x", source="x", origin="x", actor="x", action="policy.apply", audit=audit
    )

    assert policies.find("aaa")[0].canonical == '{"v":"aaa"}'


def test_the_version_in_force_applied_again_changes_nothing(
    database: Database, policies: PolicyStore, audit: AuditLog
) -> None:
    apply(policies, audit, "aaa")
    version = StateWatcher(database).version()

    assert apply(policies, audit, "aaa") == "aaa"

    assert (len(policies.history()), len(list(audit.stream()))) == (1, 1)
    assert StateWatcher(database).version() == version


def test_a_version_is_found_by_its_first_digits(policies: PolicyStore, audit: AuditLog) -> None:
    for version in ("abc1", "abd2", "abc1"):
        apply(policies, audit, version)

    assert [[v.version for v in policies.find(prefix)] for prefix in ("abc", "ab", "b", "ab%", "a__1")] == [
        ["abc1"],
        ["abc1", "abd2"],
        [],
        [],
        [],
    ]


def test_each_move_is_one_audit_record(policies: PolicyStore, audit: AuditLog) -> None:
    apply(policies, audit, "aaa")
    apply(policies, audit, "bbb", "bob", "policy.rollback")

    second = list(audit.stream())[1]
    assert (second.action, second.subject, second.actor) == ("policy.rollback", "bbb", "bob")
    assert second.detail == '{"name":"name of bbb","origin":"policy.yaml","previous":"aaa"}'


APPLY = """
import sys
from tests.integration.test_store_policies import apply
from tests.support.clock import StillClock
from trimtab.store import AuditLog, PolicyStore, open_database
database = open_database(sys.argv[1])
audit = AuditLog(database, b"k" * 32, StillClock())
for i in range(10):
    apply(PolicyStore(database, StillClock()), audit, f"{sys.argv[2]}{i}")
database.close()
"""


def test_processes_that_change_the_policy_at_once_keep_the_chain_and_are_seen_by_all(
    database: Database, database_url: str, policies: PolicyStore, audit: AuditLog
) -> None:
    watcher = StateWatcher(database)
    before = watcher.version()
    workers = [
        subprocess.Popen([sys.executable, "-c", APPLY, database_url, name], stderr=subprocess.PIPE, text=True, cwd=ROOT)
        for name in ("a", "b", "c")
    ]
    failures = [worker.communicate(timeout=120)[1] for worker in workers]

    assert [worker.returncode for worker in workers] == [0] * 3, failures
    assert len(policies.history()) == 30
    verdict = audit.verify()
    assert (verdict.is_intact, verdict.n_records) == (True, 30)
    assert watcher.version() > before
