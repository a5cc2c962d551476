"""Policy as code: a YAML file of scopes and rules becomes, for each call, the frame inside which routing may choose."""

from trimtab.policy.builtins import BUILTINS, POLICY_TIER, unless_approved, unless_inside
from trimtab.policy.changes import Change, ChangedDecision, DecisionChanges, changed_decisions, diff_policies
from trimtab.policy.checking import TestOutcome, run_policy_tests
from trimtab.policy.constraints import (
    Budget,
    Constraints,
    Facts,
    Latency,
    Mode,
    Pin,
    Preset,
    Removal,
    RuleTrace,
)
from trimtab.policy.lint import Finding, check_references, lint_policy
from trimtab.policy.loading import Policy, load_policy, policy_from_canonical
from trimtab.policy.schema import policy_json_schema
from trimtab.policy.starter import starter_policy

__all__ = [
    "BUILTINS",
    "POLICY_TIER",
    "Budget",
    "Change",
    "ChangedDecision",
    "Constraints",
    "DecisionChanges",
    "Facts",
    "Finding",
    "Latency",
    "Mode",
    "Pin",
    "Policy",
    "Preset",
    "Removal",
    "RuleTrace",
    "TestOutcome",
    "changed_decisions",
    "check_references",
    "diff_policies",
    "lint_policy",
    "load_policy",
    "policy_from_canonical",
    "policy_json_schema",
    "run_policy_tests",
    "starter_policy",
    "unless_approved",
    "unless_inside",
]
