"""The policy in force: only a sound one gets there, and every move is on record."""

import pytest
from tests.support.control_rig import NO_SMALL, POLICY, Rig

from trimtab.core.errors import InvalidRequest, NotFound, PolicyInvalid

BROKEN = "policy: broken\norganisation:\n  sensitivity: pubic\n"
UNKNOWN_MODEL = "policy: p\norganisation:\n  models:\n    allow:\n      - local:smal\n"
FAILING_TEST = """\
policy: p
organisation: {sensitivity: public}
tests:
  - name: all inside
    facts: {sensitivity: public}
    expect: {model_denied: "cloud:large"}
"""


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        (BROKEN, "policy.yaml:3", "pubic"),
        ("policy: [", "policy.yaml:1", ""),
        (UNKNOWN_MODEL, "policy.yaml:5", "local:smal"),
        (FAILING_TEST, "policy.yaml:4", "all inside"),
    ],
)
def test_promise_5_a_bad_policy_is_refused_with_line_and_reason_and_the_running_one_stays(
    rig: Rig, text: str, where: str, reason: str
) -> None:
    version = rig.apply(POLICY)
    before = rig.desk.audit_records(10)

    with pytest.raises(PolicyInvalid) as refused:
        rig.apply(text)

    assert where in refused.value.message
    assert reason in refused.value.message
    current = rig.desk.policies.current()
    assert current is not None
    assert current.version == version
    assert rig.desk.audit_records(10) == before


def test_applying_what_is_in_force_changes_nothing(rig: Rig) -> None:
    rig.apply(POLICY)

    again = rig.desk.policies.apply(f"# a comment\n{POLICY}", origin="other.yaml", actor="somebody")

    assert not again.is_new
    assert len(rig.desk.policies.versions()) == len(rig.desk.audit_records(10)) == 1


def test_rollback_returns_to_the_version_before_and_is_on_record(rig: Rig) -> None:
    first, second = rig.apply(POLICY), rig.apply(NO_SMALL)

    back = rig.desk.policies.rollback(actor="me")

    assert (back.version, back.previous, back.is_new) == (first, second, True)
    assert [(row.version, row.action, row.actor) for row in rig.desk.policies.versions()] == [
        (first, "policy.rollback", "me"),
        (second, "policy.apply", "test"),
        (first, "policy.apply", "test"),
    ]
    newest = rig.desk.audit_records(1)[0]
    assert (newest.action, newest.subject, newest.actor) == ("policy.rollback", first, "me")


def test_rollback_takes_the_beginning_of_a_version(rig: Rig) -> None:
    first = rig.apply(POLICY)
    rig.apply(NO_SMALL)

    assert rig.desk.policies.rollback(actor="me", version=first[:8]).version == first


@pytest.mark.parametrize("version", ["%", "____", "abc", "ZZZZ", "' OR 1=1", "", "0" * 65])
def test_attack_14_a_wildcard_is_no_version(rig: Rig, version: str) -> None:
    current = rig.apply(POLICY)
    rig.apply(NO_SMALL)

    with pytest.raises((NotFound, InvalidRequest)):
        rig.desk.policies.rollback(actor="me", version=version)
    assert rig.desk.policies.versions()[0].version != current


def test_without_an_earlier_policy_there_is_nothing_to_go_back_to(rig: Rig) -> None:
    with pytest.raises(NotFound):
        rig.desk.policies.rollback(actor="me")
    rig.apply(POLICY)
    with pytest.raises(NotFound, match="no earlier policy"):
        rig.desk.policies.rollback(actor="me")


def test_a_check_lists_findings_and_tests_and_changes_nothing(rig: Rig) -> None:
    found = rig.desk.policies.check(FAILING_TEST, origin="p.yaml")

    assert [(test.name, test.passed) for test in found.tests] == [("all inside", False)]
    assert found.problems[0].startswith("p.yaml:4: test 'all inside'")
    assert rig.desk.policies.current() is None
