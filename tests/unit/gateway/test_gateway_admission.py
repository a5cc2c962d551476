"""Keys and who may use what."""

import pytest

from trimtab.core.errors import AuthenticationFailed, PermissionDenied
from trimtab.core.secret_hash import secret_digest
from trimtab.gateway import Caller, KeyRing, require_scope, secret_from

PEPPER = b"p" * 32
SECRET = "tt-" + "a" * 20 + "one"


def ring(**changes: object) -> KeyRing:
    caller = Caller(key_id="k1", app="shop", **changes)  # type: ignore[arg-type]  # keyword passthrough of a test
    return KeyRing(PEPPER, {secret_digest(PEPPER, SECRET): caller})


def test_a_known_key_names_its_app() -> None:
    assert ring().verify(SECRET, now_us=0).app == "shop"


@pytest.mark.parametrize(
    "secret", [None, "", "sk-other", SECRET + "x", SECRET[:-1], SECRET.upper(), "' OR 1=1 --", "\udcff"]
)
def test_any_other_secret_is_refused_and_never_repeated(secret: str | None) -> None:
    with pytest.raises(AuthenticationFailed) as refused:
        ring().verify(secret, now_us=0)
    if secret:
        assert secret not in f"{refused.value.message} {refused.value.hint}"


def test_attack_12_two_keys_with_a_long_common_prefix_are_different_keys() -> None:
    twin = SECRET[:-3] + "two"
    with pytest.raises(AuthenticationFailed):
        ring().verify(twin, now_us=0)


def test_attack_27_keys_are_found_by_a_keyed_hash_of_the_whole_secret() -> None:
    """A look-up by digest compares no secret byte by byte, so there is nothing to time."""
    assert list(ring().callers) == [secret_digest(PEPPER, SECRET)]
    with pytest.raises(AuthenticationFailed):
        KeyRing(b"another pepper", ring().callers).verify(SECRET, now_us=0)


def test_an_expired_key_is_refused_from_its_instant_on() -> None:
    keys = ring(expires_at_us=1_000)
    assert keys.verify(SECRET, now_us=999).key_id == "k1"
    with pytest.raises(AuthenticationFailed, match="expired"):
        keys.verify(SECRET, now_us=1_000)


def test_scopes_are_enforced() -> None:
    caller = Caller(key_id="k", app="a", scopes=frozenset({"feedback"}))
    require_scope(caller, "feedback")
    with pytest.raises(PermissionDenied, match="feedback"):
        require_scope(caller, "inference")


@pytest.mark.parametrize(
    ("headers", "secret"),
    [
        ({"authorization": "Bearer tt-1"}, "tt-1"),
        ({"authorization": "bearer  tt-1 "}, "tt-1"),
        ({"x-api-key": "tt-2"}, "tt-2"),
        ({"authorization": "Basic dHQtMQ=="}, None),
        ({}, None),
    ],
)
def test_the_secret_comes_from_bearer_or_x_api_key(headers: dict[str, str], secret: str | None) -> None:
    assert secret_from(headers) == secret
