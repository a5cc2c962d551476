"""A bad file is refused whole, with line and reason; a good one has one version however it is written."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # the package has no stubs
import pytest

from trimtab.catalog.cards import Pool
from trimtab.core.errors import PolicyInvalid
from trimtab.policy import Facts, Policy, load_policy, policy_from_canonical, policy_json_schema
from trimtab.policy.yaml_source import read_yaml


def ruled(when: str, *, rule_id: str = "r", more: str = "") -> str:
    return f"policy: a\nrules:\n  - id: {rule_id}\n    when: {when}\n    then: {{mode: eco}}\n{more}"


BAD = {
    "empty": ("", 1, "the file is empty"),
    "only a comment": ("# nothing\n", 1, "the file is empty"),
    "not YAML": ("policy: [x\n", 2, "not YAML"),
    "two documents": ("policy: a\n---\npolicy: b\n", 2, "not YAML"),
    "a list": ("- policy: a\n", 1, "should be an object"),
    "a control character": ("policy: a\x00b\n", 1, "not YAML"),
    "no name": ("rules: []\n", 1, "lacks 'policy'"),
    "a name with spaces": ("policy: a b\n", 1, "does not match"),
    "an unknown key": ("policy: a\norganization: {mode: eco}\n", 2, "did you mean 'organisation'?"),
    "an unknown term": ("policy: a\norganisation:\n  modle: eco\n", 3, "did you mean 'mode'?"),
    "an unknown mode": ("policy: a\norganisation:\n  mode: regulate\n", 3, "did you mean 'regulated'?"),
    "an unknown label": ("policy: a\norganisation: {sensitivity: secret}\n", 2, "is 'secret', not 'public'"),
    "a key without value": ("policy: a\norganisation:\n  models:\n    allow:\n", 4, "'allow' has no value"),
    "an empty allow list": ("policy: a\norganisation: {models: {allow: []}}\n", 2, "is an empty list"),
    "an empty scope": ("policy: a\napps: {shop: {}}\n", 2, "apps.shop is empty"),
    "a key twice": ("policy: a\nrules: []\npolicy: b\n", 3, "stands here a second time; the first is on line 1"),
    "an anchor": ("policy: a\napps:\n  x: &t {mode: eco}\n  y: *t\n", 3, "anchors and aliases"),
    "a tag": ("policy: !!python/name:os.system a\n", 1, "is not read"),
    "deep nesting": ("policy: a\nrules: " + "[" * 60 + "]" * 60 + "\n", 2, "nested too deeply"),
    "deeper nesting": ("policy: a\nrules: " + "[" * 5000 + "]" * 5000 + "\n", 1, "nested too deeply"),
    "a rule without id": ("policy: a\nrules:\n  - when: {app: x}\n    then: {mode: eco}\n", 3, "rules[0] lacks 'id'"),
    "a rule without when": ("policy: a\nrules:\n  - id: r\n    then: {mode: eco}\n", 3, "lacks 'when'"),
    "a rule id twice": (
        ruled("{app: x}", more="  - id: r\n    when: {app: y}\n    then: {mode: fixed}\n"),
        6,
        "is taken; rule 0 has it",
    ),
    "a scope's name as id": (ruled("{app: x}", rule_id="organisation"), 3, "is taken; a scope is called so"),
    "an unknown field": (ruled("{task_typ: code}"), 4, "did you mean 'task_type'?"),
    "an operator of another type": (ruled("{app: {gt: 3}}"), 4, "unknown key 'gt' in rules[0].when.app; known are"),
    "a number as text": (ruled("{n_tools: many}"), 4, "valid integer"),
    "text as a flag": (ruled("{is_stream: no}"), 4, "valid boolean"),
    "an empty condition": (ruled("{}"), 4, "is empty"),
    "an empty any": (ruled("{any: []}"), 4, "is an empty list"),
    "a bad pattern": (ruled("{app: {matches: (a}}"), 4, "is not an RE2 pattern"),
    "a backreference": (ruled(r"{app: {matches: (a)\1}}"), 4, "is not an RE2 pattern"),
    "a huge pattern": (ruled("{app: {matches: " + "a" * 1001 + "}}"), 4, "1001 characters"),
    "a repetition bomb": (ruled("{app: {matches: '((a{100}){100}){100}'}}"), 4, "is not an RE2 pattern"),
    "a negative budget": (
        "policy: a\norganisation:\n  budget:\n    per_day_usd: -1\n",
        4,
        "greater than or equal to 0",
    ),
    "less than a nano-dollar": ("policy: a\norganisation: {budget: {per_day_usd: 0.0000000001}}\n", 2, "decimal"),
    "a budget without limit": ("policy: a\norganisation: {budget: {on_exhausted: queue}}\n", 2, "has no limit"),
    "an endless number": ("policy: a\norganisation: {quality_bar: 1e999}\n", 2, "is not a finite number"),
    "a bar above one": ("policy: a\norganisation: {quality_bar: 85}\n", 2, "less than or equal to 1"),
    "a pin without review": ("policy: a\norganisation: {pin: {model: x}}\n", 2, "lacks 'review_at'"),
    "a pin on no day": ("policy: a\norganisation: {pin: {model: x, review_at: 2026-02-30}}\n", 2, "date"),
    "approval switched off": ("policy: a\norganisation: {require: {approved: false}}\n", 2, "is false, not True"),
    "an unknown capability": ("policy: a\norganisation: {require: {capabilities: [sight]}}\n", 2, "is 'sight', not"),
    "CEL that cannot be read": (ruled('"app =="'), 4, "cannot be read"),
    "CEL on an unknown name": (ruled('"ap == 1"'), 4, "did you mean 'app'?"),
    "CEL that gives a number": (ruled("n_tools + 1"), 4, "not true or false"),
    "CEL on an absent value": (ruled("max_output_tokens > 5"), 4, "fails on a plain call"),
    "CEL with a loop": (ruled('"[1].all(x, x > n_tools)"'), 4, "uses `all`"),
    "CEL with a clock": (ruled('"timestamp(app) == null"'), 4, "calls 'timestamp'"),
    "an expectation of nothing": ("policy: a\ntests: [{name: t, facts: {app: x}, expect: {}}]\n", 2, "is empty"),
}
"""Text, line and part of the reason."""


@pytest.mark.parametrize("name", BAD)
def test_promise_5_a_bad_file_is_refused_with_line_and_reason(name: str) -> None:
    text, line, reason = BAD[name]

    with pytest.raises(PolicyInvalid) as caught:
        load_policy(text, origin="dir/policy.yaml")

    first = caught.value.message.splitlines()[0]
    assert first.startswith(f"dir/policy.yaml:{line}: ")
    assert reason in first


def test_every_problem_is_listed_in_the_order_of_the_file() -> None:
    with pytest.raises(PolicyInvalid) as caught:
        load_policy("policy: a\nrules:\n  - {id: A}\norganisation: {mode: x}\n", origin="p")

    assert [problem.split(" ")[0] for problem in caught.value.message.splitlines()] == ["p:3:", "p:3:", "p:3:", "p:4:"]


def test_s26_an_unnamed_rule_is_refused() -> None:
    with pytest.raises(PolicyInvalid, match=r"^p:2: rules\[0\] lacks 'id'"):
        load_policy("policy: a\nrules: [{when: {app: x}, then: {mode: eco}}]", origin="p")


def test_a_file_above_the_size_limit_is_not_parsed() -> None:
    with pytest.raises(PolicyInvalid, match="1000001 characters"):
        load_policy("x" * 1_000_001, origin="p")


FULL = """
policy: full
organisation:
  models: {allow: ["*"], deny: [openai:old]}
  require: {boundary: inside, regions: [eu], capabilities: [chat], approved: true}
  sensitivity: public
  mode: auto
  preset: eco
  prefer: [a]
  pin: {model: b, review_at: 2026-03-01, reason: because}
  quality_bar: 0.8
  latency: {ttft_p95_ms: 1, total_p95_ms: 2.5, min_output_tokens_per_s: 3, min_samples: 4}
  budget: {per_call_usd: 0.01, per_day_usd: 5, per_month_usd: 10, on_exhausted: queue, queue_timeout_s: 3}
  energy_wh_per_call: 1
  store: none
  max_output_tokens: 5
  max_choices: 1
  requested_model: hint
apps: {shop/eu: {mode: eco}}
workloads: {faq: {mode: eco}}
rules:
  - id: everything
    priority: 3
    why: to try all
    when:
      app: [a, b]
      task_type: {ne: x, not_in: [y], prefix: p, suffix: s, contains: c, matches: "^p.*s$", in: [pcs]}
      input_tokens: {gt: 1, ge: 2, lt: 9, le: 8}
      max_output_tokens: {exists: false}
      is_stream: true
      sensitivity: {le: confidential}
      any: [{language: "no"}, {not: {n_images: 3}}]
      all: [{api: messages}]
    then: {mode: fixed}
  - id: sums
    when: "n_tools * 2 + n_images > 3 && sensitivity >= CONFIDENTIAL"
    then: {mode: capability}
tests:
  - {name: t, facts: {app: x}, expect: {refused: true, rule: organisation}}
"""


def test_canonical_json_round_trips_to_the_same_version(pool: Pool) -> None:
    policy = load_policy(FULL, origin="p")
    again = policy_from_canonical(policy.canonical_json)

    assert again.version == policy.version
    assert again.canonical_json == policy.canonical_json
    assert again.resolve(Facts(n_tools=2), pool) == policy.resolve(Facts(n_tools=2), pool)


def test_a_version_knows_no_comments_order_or_spelled_out_defaults() -> None:
    one = load_policy("policy: a\nrules:\n  - {id: r, when: {app: x}, then: {mode: eco}}\n", origin="p")
    two = load_policy(
        "# said at length\nrules:\n- then: {mode: eco}\n  when: {app: {eq: x}}\n  priority: 0\n  id: r\npolicy: a\n",
        origin="q",
    )
    three = load_policy("policy: a\nrules:\n  - {id: r, when: {app: y}, then: {mode: eco}}\n", origin="p")

    assert one.version == two.version != three.version
    assert len(one.version) == 64


def test_text_that_looks_like_something_else_stays_text() -> None:
    policy = load_policy("policy: a\nrules: [{id: r, when: {language: no}, then: {store: none}}]", origin="p")

    assert b'"language":{"eq":"no"}' in policy.canonical_json
    assert b'"store":"none"' in policy.canonical_json


@pytest.mark.parametrize("canonical", [b"", b"{", b"[]", b'{"policy":"a","x":1}', b"[" * 5000])
def test_stored_bytes_that_are_no_policy_are_refused(canonical: bytes) -> None:
    with pytest.raises(PolicyInvalid, match=r"^policy [0-9a-f]{12}"):
        policy_from_canonical(canonical)


def test_the_strictest_declared_label_is_found(policy: Callable[[str], Policy]) -> None:
    found = policy("apps: {a: {sensitivity: public}}\nworkloads: {w: {sensitivity: confidential}}")

    assert found.label_for("a", "w") == 2
    assert found.label_for("a", "other") == 0
    assert found.label_for("other", "other") is None


def test_without_the_extra_a_cel_rule_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cel", None)

    with pytest.raises(PolicyInvalid, match=r'p:1: rule .r.: .*pip install "trimtab\[cel\]"'):
        load_policy('{policy: a, rules: [{id: r, when: "n_tools > 1", then: {mode: eco}}]}', origin="p")


def test_the_schema_on_disk_is_current_and_accepts_what_loads() -> None:
    root = Path(__file__).parents[3]
    on_disk = json.loads((root / "docs/reference/policy.schema.json").read_text())

    document, _ = read_yaml(FULL, origin="p")
    assert on_disk == policy_json_schema()
    jsonschema.validate(document, on_disk)
    for wrong in ('{"organization": {}}', '{"organisation": null}', '{"rules": [{"when": "true", "then": {}}]}'):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"policy": "a"} | json.loads(wrong), on_disk)


def test_a_policy_shows_its_name_and_version_only(policy: Callable[[str], Policy]) -> None:
    assert repr(policy("")).startswith("Policy('test', version='")
