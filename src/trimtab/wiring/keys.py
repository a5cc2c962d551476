"""Stored keys as the data plane verifies them."""

from trimtab.core import Clock
from trimtab.gateway import SCOPES, Caller
from trimtab.policy import Budget
from trimtab.store import AuditLog, Database, KeyStore, Secrets, StoredKey
from trimtab.wiring.settings import Settings


def secrets_of(settings: Settings) -> Secrets:
    """Return this installation's secrets; several machines on one database need the same folder."""
    return Secrets(settings.data_dir / "secrets")


def key_store(settings: Settings, database: Database, clock: Clock) -> KeyStore:
    """Return the keys of a database."""
    secrets = secrets_of(settings)
    return KeyStore(database, secrets, AuditLog(database, secrets.audit_key, clock), clock)


def callers_of(keys: KeyStore) -> dict[str, Caller]:
    """Return who may call, by the keyed hash of their secrets."""
    return {digest: _caller(key) for digest, key in keys.active().items()}


def _caller(key: StoredKey) -> Caller:
    return Caller(
        key_id=key.key_id,
        app=key.app,
        scopes=SCOPES if "admin" in key.scopes else SCOPES & frozenset(key.scopes),
        calls_per_minute=key.calls_per_minute,
        tokens_per_minute=key.tokens_per_minute,
        budgets=_budgets(key),
        sensitivity=key.sensitivity,
        expires_at_us=key.expires_at_us,
        models=key.models,
    )


def _budgets(key: StoredKey) -> tuple[Budget, ...]:
    if key.per_day_nano_usd is None and key.per_month_nano_usd is None:
        return ()
    return (
        Budget(
            scope=f"key:{key.key_id}",
            per_day_nano_usd=key.per_day_nano_usd,
            per_month_nano_usd=key.per_month_nano_usd,
        ),
    )
