"""Keys are shown once and kept as hashes; every change is in the audit log and announced."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.clock import StillClock
from tests.support.store_rig import NOON_US, rows

from trimtab.core.errors import AuthenticationFailed, NotFound, StoreError
from trimtab.gateway.admission import Caller, KeyRing
from trimtab.store import AuditLog, Database, KeyStore, Secrets, StateWatcher
from trimtab.store.keys import is_well_formed, new_secret

MakeKey = Callable[..., tuple[object, str]]


@pytest.fixture
def clock() -> StillClock:
    return StillClock(NOON_US)


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return Secrets(tmp_path / "secrets")


@pytest.fixture
def audit(database: Database, secrets: Secrets, clock: StillClock) -> AuditLog:
    return AuditLog(database, secrets.audit_key, clock)


@pytest.fixture
def keys(database: Database, secrets: Secrets, audit: AuditLog, clock: StillClock) -> KeyStore:
    return KeyStore(database, secrets, audit, clock)


def test_a_key_comes_back_with_everything_but_its_secret(database: Database, keys: KeyStore) -> None:
    key, secret = keys.create(
        name="checkout",
        app="shop",
        scopes=["inference", "feedback"],
        models=["p:*"],
        calls_per_minute=60,
        per_day_nano_usd=5,
        sensitivity="internal",
        parent_key_id="key_parent",
        expires_at_us=NOON_US + 1,
        actor="ada",
    )

    assert keys.find(key.key_id) == keys.find_by_secret(secret) == key
    assert (key.scopes, key.models, key.tokens_per_minute) == (("inference", "feedback"), ("p:*",), None)
    assert secret.startswith(key.prefix)
    assert len(key.prefix) < 10
    stored = str(rows(database, "keys")) + str(rows(database, "audit"))
    assert secret not in stored
    assert secret[8:] not in stored


def test_a_secret_has_256_random_bits_and_a_checksum() -> None:
    made = {new_secret() for _ in range(200)}

    assert len(made) == 200
    assert {len(secret) for secret in made} == {3 + 43 + 6}
    assert all(is_well_formed(secret) for secret in made)
    assert len({secret[3:46] for secret in made}) == 200


@pytest.mark.parametrize("wrong", ["", "tt-", "tt-" + "a" * 49, "sk-" + "a" * 49, "tt-" + "ü" * 49])
def test_what_only_looks_like_a_secret_fails_the_checksum(wrong: str) -> None:
    assert not is_well_formed(wrong)


def test_one_mistyped_letter_fails_the_checksum() -> None:
    secret = new_secret()
    for place in range(3, len(secret)):
        other = "a" if secret[place] != "a" else "b"
        assert not is_well_formed(secret[:place] + other + secret[place + 1 :])


def test_attack_12_the_whole_secret_is_hashed_and_compared(keys: KeyStore) -> None:
    key, secret = keys.create(name="k", app="a", scopes=["inference"], actor="ada")
    ring = KeyRing(keys.pepper, {digest: Caller(key_id=k.key_id, app=k.app) for digest, k in keys.active().items()})

    assert ring.verify(secret, NOON_US).key_id == key.key_id
    for wrong in (secret[:20], secret[:-1], secret + "x", secret[:-1] + "!", secret[:20] + "x" * (len(secret) - 20)):
        assert keys.find_by_secret(wrong) is None
        with pytest.raises(AuthenticationFailed):
            ring.verify(wrong, NOON_US)


def test_a_revoked_key_is_no_longer_active_and_stays_listed(keys: KeyStore, clock: StillClock) -> None:
    key, secret = keys.create(name="k", app="a", scopes=["inference"], actor="ada")
    clock.wall_us += 10

    revoked = keys.revoke(key.key_id, actor="bob")
    clock.wall_us += 10

    assert revoked.revoked_at_us == NOON_US + 10
    assert keys.revoke(key.key_id, actor="eve") == revoked  # once is enough
    assert (keys.active(), keys.find_by_secret(secret)) == ({}, None)
    assert keys.list_keys() == [revoked]


def test_an_expired_key_is_not_found_by_its_secret(keys: KeyStore, clock: StillClock) -> None:
    _, secret = keys.create(name="k", app="a", scopes=["admin"], expires_at_us=NOON_US + 5, actor="ada")
    assert keys.find_by_secret(secret) is not None
    assert keys.has_admin()

    clock.wall_us += 5
    assert keys.find_by_secret(secret) is None
    assert not keys.has_admin()


def test_limits_change_and_can_be_taken_away(keys: KeyStore) -> None:
    key, _ = keys.create(name="k", app="a", scopes=["inference"], calls_per_minute=5, actor="ada")

    changed = keys.update(key.key_id, {"calls_per_minute": None, "per_month_nano_usd": 7}, actor="ada")

    assert (changed.calls_per_minute, changed.per_month_nano_usd) == (None, 7)
    assert keys.find(key.key_id) == changed


def test_nothing_but_limits_can_be_changed(keys: KeyStore) -> None:
    key, _ = keys.create(name="k", app="a", scopes=["inference"], actor="ada")
    with pytest.raises(AssertionError):
        keys.update(key.key_id, {"revoked_at_us": None}, actor="ada")


def test_an_unknown_key_is_not_found(keys: KeyStore) -> None:
    with pytest.raises(NotFound, match="no key 'key_x'"):
        keys.update("key_x", {}, actor="ada")
    with pytest.raises(NotFound, match="no key 'key_x'"):
        keys.revoke("key_x", actor="ada")
    assert keys.find("key_x") is None


def test_keys_are_listed_by_app(keys: KeyStore) -> None:
    for app in ("shop", "desk", "shop"):
        keys.create(name="k", app=app, scopes=["inference"], actor="ada")

    assert [len(keys.list_keys(app)) for app in ("shop", "desk", "none")] == [2, 1, 0]


def test_every_change_is_one_audit_record_and_is_announced(database: Database, keys: KeyStore, audit: AuditLog) -> None:
    watcher = StateWatcher(database)
    versions = [watcher.version()]
    key, _ = keys.create(name="k", app="a", scopes=["inference"], actor="ada")
    versions.append(watcher.version())
    keys.update(key.key_id, {"calls_per_minute": 1}, actor="bob")
    versions.append(watcher.version())
    keys.revoke(key.key_id, actor="eve")
    versions.append(watcher.version())

    assert len(set(versions)) == 4
    assert [(r.action, r.actor) for r in audit.stream()] == [
        ("key.create", "ada"),
        ("key.update", "bob"),
        ("key.revoke", "eve"),
    ]
    assert list(audit.stream())[1].detail == '{"from":{"calls_per_minute":null},"to":{"calls_per_minute":1}}'
    assert audit.verify().is_intact


def test_a_key_whose_change_cannot_be_written_does_not_exist(
    database: Database, keys: KeyStore, audit: AuditLog
) -> None:
    with pytest.raises(StoreError):
        keys.create(name="k", app="a", scopes=["inference"], calls_per_minute=2**70, actor="ada")

    assert (keys.list_keys(), list(audit.stream())) == ([], [])


# The server's own secrets.


def test_secrets_are_random_apart_and_their_owners_only(tmp_path: Path, secrets: Secrets) -> None:
    assert secrets.pepper != secrets.audit_key
    assert len(secrets.pepper) == len(secrets.audit_key) == 32
    assert Secrets(tmp_path / "secrets").pepper == secrets.pepper
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    files = list((tmp_path / "secrets").iterdir())
    assert sorted(path.name for path in files) == ["audit_key", "pepper"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


MAKE_SECRET = """
import sys
from pathlib import Path
from trimtab.store import Secrets
print(Secrets(Path(sys.argv[1])).pepper.hex())
"""


def test_processes_that_make_a_secret_at_once_get_the_same(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen([sys.executable, "-c", MAKE_SECRET, str(tmp_path / "s")], stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]

    assert len({worker.communicate(timeout=60)[0] for worker in workers}) == 1
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["pepper"]


def test_a_damaged_secret_is_refused_and_not_replaced(tmp_path: Path, secrets: Secrets) -> None:
    assert secrets.pepper
    (tmp_path / "secrets" / "pepper").write_bytes(b"short")

    with pytest.raises(StoreError, match="has 5 bytes, not 32") as caught:
        _ = Secrets(tmp_path / "secrets").pepper
    assert "short" not in caught.value.message


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        _ = Secrets(tmp_path / "file" / "secrets").pepper
