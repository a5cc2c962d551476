"""Policy as code: a YAML file of scopes and rules becomes, for each call, the frame inside which routing may choose."""

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
from trimtab.policy.loading import Policy, load_policy, policy_from_canonical

__all__ = [
    "Budget",
    "Constraints",
    "Facts",
    "Latency",
    "Mode",
    "Pin",
    "Policy",
    "Preset",
    "Removal",
    "RuleTrace",
    "load_policy",
    "policy_from_canonical",
]
