"""Virtual keys: made once, shown once, kept as a keyed hash."""

import secrets as random
import zlib
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Connection, Row, select

from trimtab.core import Clock
from trimtab.core.errors import NotFound
from trimtab.core.secret_hash import secret_digest
from trimtab.store.audit import AuditLog
from trimtab.store.database import Database
from trimtab.store.rows import clean
from trimtab.store.secrets import Secrets
from trimtab.store.state import bump
from trimtab.store.tables import keys

MARK = "tt-"
"""What every secret begins with, so that scanners for leaked keys find it."""
CHANGEABLE = frozenset(
    {"calls_per_minute", "tokens_per_minute", "per_day_nano_usd", "per_month_nano_usd", "expires_at_us"}
)
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_DIGITS = 43
"""62^43 is just above 2^256."""
_CHECK_DIGITS = 6
_SHOWN = len(MARK) + 5


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual key without its secret."""

    key_id: str
    prefix: str
    """The first characters of the secret, to recognise it by."""
    name: str
    app: str
    scopes: tuple[str, ...]
    models: tuple[str, ...] = ()
    """Globs; empty means whatever policy allows."""
    calls_per_minute: int | None = None
    tokens_per_minute: int | None = None
    per_day_nano_usd: int | None = None
    per_month_nano_usd: int | None = None
    sensitivity: str | None = None
    """Label for calls of this key that carry none."""
    parent_key_id: str | None = None
    """The key that made this one."""
    created_at_us: int
    expires_at_us: int | None = None
    revoked_at_us: int | None = None


def new_secret() -> str:
    """Return ``tt-``, 256 random bits in base 62 and a checksum of six digits."""
    body = _base62(random.randbits(256), _RANDOM_DIGITS)
    return MARK + body + _check_of(body)


def is_well_formed(secret: str) -> bool:
    """Return whether the checksum fits: a mistyped secret, or what only looks like one, is seen without a look-up."""
    body, check = secret[len(MARK) : -_CHECK_DIGITS], secret[-_CHECK_DIGITS:]
    return secret.startswith(MARK) and len(body) == _RANDOM_DIGITS and secret.isascii() and _check_of(body) == check


class KeyStore:
    """The keys, and the changes made to them. Every change is one transaction with its audit record.

    Args:
        database: Where the hashes are.
        secrets: Where the pepper of the hashes is.
        audit: The chained log.
        clock: Dates the changes.
    """

    def __init__(self, database: Database, secrets: Secrets, audit: AuditLog, clock: Clock) -> None:
        self._database = database
        self._secrets = secrets
        self._audit = audit
        self._clock = clock
        self._pepper: bytes | None = None

    @property
    def pepper(self) -> bytes:
        """Key of the hashes."""
        if self._pepper is None:
            self._pepper = self._secrets.pepper
        return self._pepper

    def create(
        self,
        *,
        name: str,
        app: str,
        scopes: Sequence[str],
        models: Sequence[str] = (),
        calls_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        per_day_nano_usd: int | None = None,
        per_month_nano_usd: int | None = None,
        sensitivity: str | None = None,
        parent_key_id: str | None = None,
        expires_at_us: int | None = None,
        actor: str,
    ) -> tuple[StoredKey, str]:
        """Make a key and return it with its secret, which is nowhere else."""
        secret = new_secret()
        key = StoredKey(
            key_id="key_" + _base62(random.randbits(95), 16),
            prefix=secret[:_SHOWN],
            name=clean(name) or "",
            app=clean(app) or "",
            scopes=tuple(scopes),
            models=tuple(models),
            calls_per_minute=calls_per_minute,
            tokens_per_minute=tokens_per_minute,
            per_day_nano_usd=per_day_nano_usd,
            per_month_nano_usd=per_month_nano_usd,
            sensitivity=sensitivity,
            parent_key_id=parent_key_id,
            created_at_us=self._clock.now_us(),
            expires_at_us=expires_at_us,
        )
        row = {**msgspec.structs.asdict(key), "scopes": _packed(key.scopes), "models": _packed(key.models)}
        with self._database.writing() as connection:
            connection.execute(keys.insert(), {**row, "secret_hash": secret_digest(self.pepper, secret)})
            self._note(connection, "key.create", key, actor, _granted(key))
        return key, secret

    def update(self, key_id: str, changes: Mapping[str, int | None], *, actor: str) -> StoredKey:
        """Change limits, caps or the expiry; ``None`` takes a limit away.

        Raises:
            NotFound: there is no such key.
        """
        assert changes.keys() <= CHANGEABLE, f"a key's {', '.join(changes.keys() - CHANGEABLE)} cannot be changed"
        with self._database.writing() as connection:
            before = _key_in(connection, key_id)
            if changes:
                connection.execute(keys.update().where(keys.c.key_id == key_id), dict(changes))
                was = {name: getattr(before, name) for name in changes}
                self._note(connection, "key.update", before, actor, {"from": was, "to": dict(changes)})
            return _key_in(connection, key_id)

    def revoke(self, key_id: str, *, actor: str) -> StoredKey:
        """End a key for good; one that was revoked before stays as it is.

        Raises:
            NotFound: there is no such key.
        """
        with self._database.writing() as connection:
            key = _key_in(connection, key_id)
            if key.revoked_at_us is None:
                now = {"revoked_at_us": self._clock.now_us()}
                connection.execute(keys.update().where(keys.c.key_id == key_id), now)
                self._note(connection, "key.revoke", key, actor, {"name": key.name, "app": key.app})
            return _key_in(connection, key_id)

    def list_keys(self, app: str | None = None) -> list[StoredKey]:
        """Return the keys of an app, or all, the oldest first; expired and revoked ones too."""
        query = select(keys).order_by(keys.c.created_at_us, keys.c.key_id)
        if app is not None:
            query = query.where(keys.c.app == app)
        with self._database.reading() as connection:
            return [_key(row) for row in connection.execute(query)]

    def find(self, key_id: str) -> StoredKey | None:
        """Return the key, whether it can still be used or not."""
        with self._database.reading() as connection:
            row = connection.execute(select(keys).where(keys.c.key_id == clean(key_id))).first()
        return None if row is None else _key(row)

    def find_by_secret(self, secret: str) -> StoredKey | None:
        """Return the key behind a secret, when it is neither revoked nor expired."""
        query = select(keys).where(keys.c.secret_hash == secret_digest(self.pepper, secret))
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        key = None if row is None else _key(row)
        return key if key is not None and self._is_usable(key) else None

    def active(self) -> dict[str, StoredKey]:
        """Return the keys that are not revoked, by :func:`secret_digest`; who uses one checks its expiry."""
        query = select(keys).where(keys.c.revoked_at_us.is_(None))
        with self._database.reading() as connection:
            return {row.secret_hash: _key(row) for row in connection.execute(query)}

    def has_admin(self) -> bool:
        """Return whether some usable key may do everything."""
        return any("admin" in key.scopes and self._is_usable(key) for key in self.list_keys())

    def _is_usable(self, key: StoredKey) -> bool:
        is_expired = key.expires_at_us is not None and key.expires_at_us <= self._clock.now_us()
        return key.revoked_at_us is None and not is_expired

    def _note(
        self, connection: Connection, action: str, key: StoredKey, actor: str, detail: Mapping[str, object]
    ) -> None:
        self._audit.append(connection, actor=actor, action=action, subject=key.key_id, detail=detail)
        bump(self._database, connection, "keys")


def _key_in(connection: Connection, key_id: str) -> StoredKey:
    row = connection.execute(select(keys).where(keys.c.key_id == clean(key_id))).first()
    if row is None:
        raise NotFound(f"There is no key {key_id[:64]!r}.", hint="`trimtab keys list` shows every key.")
    return _key(row)


def _key(row: Row[tuple[object, ...]]) -> StoredKey:
    fields = {name: getattr(row, name) for name in StoredKey.__struct_fields__}
    for name in ("scopes", "models"):
        fields[name] = msgspec.json.decode(fields[name], type=tuple[str, ...])
    return StoredKey(**fields)


def _packed(words: tuple[str, ...]) -> str | None:
    return clean(msgspec.json.encode(words).decode())


def _granted(key: StoredKey) -> dict[str, object]:
    """Return what a new key may do, without what is not limited."""
    names = ("name", "app", "scopes", "models", *sorted(CHANGEABLE), "sensitivity", "parent_key_id")
    return {name: value for name in names if (value := getattr(key, name)) is not None}


def _check_of(body: str) -> str:
    return _base62(zlib.crc32(body.encode("utf-8", "replace")), _CHECK_DIGITS)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
