"""What a new version changes, in the file and in recorded calls."""

from collections.abc import Callable, Iterator

from trimtab.catalog.cards import Pool
from trimtab.policy import Change, ChangedDecision, Facts, Policy, changed_decisions, diff_policies

ReadPolicy = Callable[[str], Policy]


def test_a_diff_names_rules_and_tests_by_their_ids(policy: ReadPolicy) -> None:
    old = policy("organisation: {mode: eco}\nrules: [{id: r, when: {app: x}, then: {mode: eco}}]")
    new = policy(
        "organisation: {mode: fixed, prefer: [a, b]}\n"
        "rules: [{id: q, when: {app: y}, then: {mode: eco}}, {id: r, when: {app: x}, then: {mode: eco}}]"
    )

    assert diff_policies(old, old) == []
    assert diff_policies(old, new) == [
        Change(path="organisation.mode", before='"eco"', after='"fixed"'),
        Change(path="organisation.prefer", before=None, after='["a","b"]'),
        Change(path="rules[q].id", before=None, after='"q"'),
        Change(path="rules[q].then.mode", before=None, after='"eco"'),
        Change(path="rules[q].when.app.eq", before=None, after='"y"'),
    ]


def test_s26_a_dry_run_prints_which_recorded_decisions_would_change(policy: ReadPolicy, pool: Pool) -> None:
    old = policy("organisation: {prefer: [cheap]}")
    new = policy("organisation: {prefer: [cheap]}\nworkloads: {faq: {models: {allow: [local:small]}}}")
    n_decided = 0

    def decide(rulebook: Policy, facts: Facts) -> str | None:
        nonlocal n_decided
        n_decided += 1
        found = rulebook.resolve(facts, pool)
        return next(iter((*found.prefer, *found.allowed)), None)

    def recorded() -> Iterator[tuple[str, Facts, str | None]]:
        for index in range(100):
            workload = "faq" if index % 4 == 0 else "chat"
            yield f"call_{index}", Facts(workload=workload, sensitivity=1), "openai:mini"

    changes = changed_decisions(old, new, recorded(), decide, max_examples=2)

    assert (changes.n_calls, changes.n_changed) == (100, 25)
    assert changes.by_move == {("openai:mini", "local:small"): 25}
    assert changes.examples == [
        ChangedDecision(call_id="call_0", recorded="openai:mini", before="openai:mini", after="local:small"),
        ChangedDecision(call_id="call_4", recorded="openai:mini", before="openai:mini", after="local:small"),
    ]
    assert n_decided == 4  # two kinds of calls under two policies, however many calls there are
