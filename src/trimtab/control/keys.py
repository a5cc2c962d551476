"""Virtual keys at the desk: nobody makes or changes one that may do more than they may themselves."""

import threading
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import msgspec

from trimtab.control.key_requests import LIMITS, KeyChange, KeyRequest, check_request, limits_of
from trimtab.control.operators import Operator
from trimtab.core import US_PER_DAY, Clock, parse_sensitivity
from trimtab.core.errors import AuthenticationFailed, NotFound, PermissionDenied
from trimtab.store import KeyStore, StoredKey


class MadeKey(StoredKey, frozen=True, kw_only=True):
    """A new key with its secret, which is in this object and nowhere else."""

    secret: str

    def __repr__(self) -> str:
        return f"MadeKey(key_id={self.key_id!r}, prefix={self.prefix!r})"


class KeyDesk:
    """Makes, lists, changes and revokes keys. Each change is one audit record.

    Args:
        store: The keys.
        clock: Dates expiry.
    """

    def __init__(self, store: KeyStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._turn = threading.Lock()
        """Looking at what a key's children have taken and adding another is one step."""

    def list_for(self, operator: Operator) -> list[StoredKey]:
        """Return the keys of the operator's app, or all of them."""
        return self._store.list_keys(operator.app)

    def create(self, operator: Operator, request: KeyRequest) -> MadeKey:
        """Make a key.

        Raises:
            InvalidRequest: a field cannot be used.
            PermissionDenied: the key could do more than its maker.
        """
        check_request(request)
        limits = limits_of(request)
        with self._turn:
            own = self._own(operator)
            _check_reach(operator, own, request)
            self._check_limits(own, limits)
            key, secret = self._store.create(
                name=request.name,
                app=request.app,
                scopes=tuple(dict.fromkeys(request.scopes)),
                models=tuple(dict.fromkeys(request.models)),
                sensitivity=request.sensitivity,
                parent_key_id=operator.key_id,
                expires_at_us=self._expiry(own, request),
                actor=operator.actor,
                **limits,
            )
        return MadeKey(**msgspec.structs.asdict(key), secret=secret)

    def update(self, operator: Operator, key_id: str, change: KeyChange) -> StoredKey:
        """Change a key's limits. Nobody changes their own key.

        Raises:
            NotFound: there is no such key in the operator's app.
            InvalidRequest: a limit cannot be used.
            PermissionDenied: it is the operator's own key, or it may do more than they may.
        """
        with self._turn:
            key = self._within_reach(operator, key_id)
            if key.key_id == operator.key_id:
                raise PermissionDenied(
                    "No key changes its own limits.", hint="Ask for it with another key, or at the command line."
                )
            changes, own = limits_of(change), self._own(operator)
            if own is not None and key.parent_key_id != own.key_id:
                _check_not_raised(key, changes)
            self._check_limits(own, changes, replacing=key)
            return self._store.update(key.key_id, changes, actor=operator.actor) if changes else key

    def revoke(self, operator: Operator, key_id: str) -> StoredKey:
        """Revoke a key; workers refuse it within a second.

        Raises:
            NotFound: there is no such key in the operator's app.
            PermissionDenied: it may do more than the operator.
        """
        key = self._within_reach(operator, key_id)
        return self._store.revoke(key.key_id, actor=operator.actor)

    def _own(self, operator: Operator) -> StoredKey | None:
        """Return the key that bounds what the operator may give away; an admin and the local person have none."""
        if operator.is_admin or operator.key_id is None:
            return None
        own = self._store.find(operator.key_id)
        if own is None:
            raise AuthenticationFailed("Your key is gone.")
        return own

    def _within_reach(self, operator: Operator, key_id: str) -> StoredKey:
        key = self._store.find(key_id)
        if key is None or operator.app not in (None, key.app):
            raise NotFound(f"There is no key {key_id[:64]!r}.", hint="`trimtab keys list` shows their ids.")
        beyond = set(key.scopes) - operator.permissions
        if beyond:
            raise PermissionDenied(f"That key has {_listed(beyond)}, which yours has not.")
        return key

    def _expiry(self, own: StoredKey | None, request: KeyRequest) -> int | None:
        """Return when the key ends: not after the one it was made with."""
        days = request.expires_in_days
        ends = [] if days is None else [self._clock.now_us() + days * US_PER_DAY]
        if own is not None and own.expires_at_us is not None:
            ends.append(own.expires_at_us)
        return min(ends, default=None)

    def _check_limits(
        self, own: StoredKey | None, limits: Mapping[str, int | None], *, replacing: StoredKey | None = None
    ) -> None:
        """Refuse limits above the maker's own, for one key or for all its keys together."""
        if own is None:
            return
        for name in LIMITS:
            bound = getattr(own, name)
            if bound is None or name not in limits:
                continue
            asked, taken = limits[name], self._taken(own, name, replacing)
            if asked is None or asked + taken > bound:
                shown = "no limit" if asked is None else f"{asked:,}"
                besides = f", and its other keys have {taken:,} of it" if taken else ""
                raise PermissionDenied(f"{name}: {shown} asked for; your key has {bound:,}{besides}.")

    def _taken(self, own: StoredKey, name: str, replacing: StoredKey | None) -> int:
        now_us = self._clock.now_us()
        return sum(
            getattr(key, name) or 0
            for key in self._store.list_keys(own.app)
            if key.parent_key_id == own.key_id
            and key.revoked_at_us is None
            and (key.expires_at_us is None or key.expires_at_us > now_us)
            and (replacing is None or key.key_id != replacing.key_id)
        )


def _check_not_raised(key: StoredKey, changes: Mapping[str, int | None]) -> None:
    """Refuse more for a key that the operator's own did not make: nobody would count it against theirs."""
    for name, asked in changes.items():
        current = getattr(key, name)
        if current is not None and (asked is None or asked > current):
            raise PermissionDenied(f"{name} of that key can be raised by the key that made it, or by an admin.")


def _check_reach(operator: Operator, own: StoredKey | None, request: KeyRequest) -> None:
    """Refuse a key that reaches further than its maker: scopes, app, models or sensitivity."""
    if own is None:
        return
    beyond = set(request.scopes) - operator.permissions
    if beyond:
        raise PermissionDenied(f"Your key has not {_listed(beyond)}, so it cannot give that away.")
    if request.app != own.app:
        raise PermissionDenied(f"Your key belongs to the app {own.app!r} and makes keys for that one only.")
    if own.models and not request.models:
        raise PermissionDenied(f"Your key may use {_listed(own.models)} only; name the models of the new one.")
    for glob in request.models:
        if own.models and not any(covers(wide, glob) for wide in own.models):
            raise PermissionDenied(f"Models {glob!r} reach beyond those of your key: {_listed(own.models)}.")
    if own.sensitivity is not None and _level(request.sensitivity) < _level(own.sensitivity):
        raise PermissionDenied(f"Calls of your key count as {own.sensitivity} at least; so must those of the new one.")


def covers(wide: str, narrow: str) -> bool:
    """Return whether every name that matches ``narrow`` matches ``wide``. Errs to no where that is hard to tell.

    >>> covers("local:*", "local:qwen-*"), covers("local:m?", "local:m*"), covers("*b*", "x[ab]y")
    (True, False, False)
    """
    if wide in ("*", narrow):
        return True
    if not any(sign in narrow for sign in "*?["):
        return fnmatchcase(narrow, wide)
    # A star matches whatever stands in its place, wildcards too; every other sign of `wide` could match less.
    return "[" not in narrow and not any(sign in wide for sign in "?[") and fnmatchcase(narrow, wide)


def _level(label: str | None) -> int:
    return -1 if label is None else int(parse_sensitivity(label))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
