"""Keys at the desk: nobody makes or changes one that may do more than they may themselves."""

import pytest
from tests.support.control_rig import NOW_US, Rig

from trimtab.control import KeyChange, KeyRequest
from trimtab.control.keys import covers
from trimtab.core import US_PER_DAY
from trimtab.core.errors import AuthenticationFailed, InvalidRequest, NotFound, PermissionDenied

MINOR = {
    "app": "shop",
    "scopes": ("keys:write", "keys:read", "inference"),
    "models": ("local:*",),
    "calls_per_minute": 10,
    "usd_per_day": "5",
    "sensitivity": "confidential",
}
CHILD = {
    "name": "child",
    "app": "shop",
    "scopes": ("inference",),
    "models": ("local:small",),
    "calls_per_minute": 4,
    "usd_per_day": "2",
    "sensitivity": "restricted",
}


def test_attack_4_a_key_makes_one_inside_its_own_bounds(rig: Rig) -> None:
    minor = rig.operator(**MINOR)

    made = rig.desk.keys.create(minor, KeyRequest(**CHILD))  # type: ignore[arg-type]

    assert made.parent_key_id == minor.key_id
    assert rig.desk.authenticate(made.secret).permissions == {"inference"}


@pytest.mark.parametrize(
    "wider",
    [
        {"scopes": ("admin",)},
        {"scopes": ("inference", "policy:write")},
        {"app": "other"},
        {"models": ()},
        {"models": ("*",)},
        {"models": ("local:small", "cloud:large")},
        {"calls_per_minute": None},
        {"calls_per_minute": 11},
        {"usd_per_day": None},
        {"usd_per_day": "5.000000001"},
        {"sensitivity": None},
        {"sensitivity": "internal"},
    ],
)
def test_attack_4_a_key_makes_none_that_may_more_than_itself(rig: Rig, wider: dict[str, object]) -> None:
    minor = rig.operator(**MINOR)

    with pytest.raises(PermissionDenied):
        rig.desk.keys.create(minor, KeyRequest(**(CHILD | wider)))  # type: ignore[arg-type]
    assert len(rig.desk.keys.list_for(rig.me)) == 1


def test_attack_4_all_keys_of_a_maker_together_stay_inside_its_limits(rig: Rig) -> None:
    minor = rig.operator(**MINOR)
    first, second = (KeyRequest(**(CHILD | {"usd_per_day": usd})) for usd in ("3", "2.5"))  # type: ignore[arg-type]
    made = rig.desk.keys.create(minor, first)

    with pytest.raises(PermissionDenied, match="other keys have 3,000,000,000"):
        rig.desk.keys.create(minor, second)

    rig.desk.keys.revoke(minor, made.key_id)
    rig.desk.keys.create(minor, second)


def test_attack_4_a_key_does_not_outlive_its_maker(rig: Rig) -> None:
    minor = rig.operator(**MINOR, expires_in_days=2)

    made = rig.desk.keys.create(minor, KeyRequest(**CHILD, expires_in_days=30))  # type: ignore[arg-type]

    assert made.expires_at_us == NOW_US + 2 * US_PER_DAY


def test_attack_5_nobody_changes_their_own_key(rig: Rig) -> None:
    for scopes in (("keys:write",), ("admin",)):
        own = rig.operator(scopes=scopes, calls_per_minute=10)
        assert own.key_id is not None
        with pytest.raises(PermissionDenied):
            rig.desk.keys.update(own, own.key_id, KeyChange(calls_per_minute=9))


def test_attack_5_a_key_raises_no_limit_beyond_its_own(rig: Rig) -> None:
    minor = rig.operator(**MINOR)
    child = rig.desk.keys.create(minor, KeyRequest(**CHILD))  # type: ignore[arg-type]

    assert rig.desk.keys.update(minor, child.key_id, KeyChange(calls_per_minute=10)).calls_per_minute == 10
    for change in (KeyChange(calls_per_minute=11), KeyChange(usd_per_day=None)):
        with pytest.raises(PermissionDenied):
            rig.desk.keys.update(minor, child.key_id, change)


def test_attack_5_a_key_raises_no_limit_of_a_key_it_did_not_make(rig: Rig) -> None:
    minor = rig.operator(**MINOR)
    other = rig.key(app="shop", scopes=("inference",), calls_per_minute=2, usd_per_day="1")

    with pytest.raises(PermissionDenied, match="made it"):
        rig.desk.keys.update(minor, other.key_id, KeyChange(calls_per_minute=3))
    assert rig.desk.keys.update(minor, other.key_id, KeyChange(calls_per_minute=1)).calls_per_minute == 1


def test_attack_5_a_key_touches_none_that_may_more(rig: Rig) -> None:
    minor = rig.operator(**MINOR)
    admin = rig.key(app="shop", scopes=("admin",))

    with pytest.raises(PermissionDenied):
        rig.desk.keys.revoke(minor, admin.key_id)
    with pytest.raises(PermissionDenied):
        rig.desk.keys.update(minor, admin.key_id, KeyChange(calls_per_minute=1))


def test_attack_6_another_apps_keys_are_not_found(rig: Rig) -> None:
    minor = rig.operator(**MINOR)
    foreign = rig.key(app="other")

    assert {key.app for key in rig.desk.keys.list_for(minor)} == {"shop"}
    with pytest.raises(NotFound):
        rig.desk.keys.revoke(minor, foreign.key_id)
    with pytest.raises(NotFound):
        rig.desk.keys.update(minor, foreign.key_id, KeyChange(calls_per_minute=1))


def test_a_field_left_out_stays_and_none_takes_the_limit_away(rig: Rig) -> None:
    key = rig.key(calls_per_minute=10, tokens_per_minute=20, usd_per_day="1.5")

    changed = rig.desk.keys.update(rig.me, key.key_id, KeyChange(calls_per_minute=None, usd_per_day="2"))

    assert (changed.calls_per_minute, changed.tokens_per_minute) == (None, 20)
    assert changed.per_day_nano_usd == 2_000_000_000


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "", "name"),
        ("name", "a\x1b[2J", "printable"),
        ("app", "Shop", "'Shop' is not a name"),
        ("scopes", ("inferrence",), "inferrence"),
        ("scopes", (), "without a scope"),
        ("models", ("a b",), "not the name of a model"),
        ("sensitivity", "secret", "not one of"),
        ("expires_in_days", 0, "1 to 3,650"),
        ("calls_per_minute", 0, "calls_per_minute is 0"),
        ("tokens_per_minute", 2**31, "tokens_per_minute"),
        ("usd_per_day", "-1", "not an amount"),
        ("usd_per_day", "1e9", "not an amount"),
        ("usd_per_month", "\u0661", "not an amount"),
    ],
)
def test_a_request_that_cannot_be_names_field_and_value(rig: Rig, field: str, value: object, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        rig.key(**{field: value})
    assert rig.desk.keys.list_for(rig.me) == []


def test_attack_13_a_revoked_or_expired_key_opens_nothing(rig: Rig) -> None:
    revoked, expiring = rig.key(scopes=("admin",)), rig.key(expires_in_days=1)
    rig.desk.keys.revoke(rig.me, revoked.key_id)
    rig.clock.wall_us += US_PER_DAY

    for key in (revoked, expiring):
        with pytest.raises(AuthenticationFailed):
            rig.desk.authenticate(key.secret)
        assert rig.desk.operator_of_key(key.key_id) is None


def test_attack_18_no_key_shows_its_secret_again(rig: Rig) -> None:
    made = rig.key()

    assert made.secret not in repr(made)
    assert made.secret not in repr(rig.desk.keys.list_for(rig.me))
    assert made.secret not in repr(rig.desk.audit_records(10))


def test_every_change_of_a_key_is_in_the_audit_log_with_who_did_it(rig: Rig) -> None:
    admin = rig.operator(scopes=("admin",))
    made = rig.desk.keys.create(admin, KeyRequest(name="one"))
    rig.desk.keys.update(admin, made.key_id, KeyChange(calls_per_minute=5))
    rig.desk.keys.revoke(admin, made.key_id)

    done = [(r.action, r.actor) for r in rig.desk.audit_records(3)]
    assert done == [(f"key.{verb}", f"key:{admin.key_id}") for verb in ("revoke", "update", "create")]
    assert rig.desk.verify_audit().is_intact


@pytest.mark.parametrize(
    ("wide", "narrow", "is_covered"),
    [
        ("*", "a[bc]?", True),
        ("local:*", "local:small", True),
        ("local:*", "local:s*", True),
        ("local:*", "local*", False),
        ("local:m?", "local:m1", True),
        ("local:m?", "local:m*", False),
        ("a[*]", "a*", False),
        ("*b*", "x[ab]y", False),
        ("Local:*", "local:a", False),
    ],
)
def test_attack_4_a_glob_covers_another_only_where_that_is_certain(wide: str, narrow: str, is_covered: bool) -> None:
    assert covers(wide, narrow) is is_covered
