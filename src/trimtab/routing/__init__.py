"""The decision pipeline: policy permits, constraints exclude, a mode orders; every choice explains itself."""

from trimtab.routing.afresh import NOTHING_MEASURED, Measure, Measured, decide_afresh
from trimtab.routing.candidates import candidate_facts
from trimtab.routing.decide import decide, replay
from trimtab.routing.decision import (
    ROUTER_VERSION,
    BudgetState,
    CandidateFacts,
    Decision,
    Estimate,
    TierTrace,
    decode_decision,
    digest_of,
)
from trimtab.routing.explain import Explanation, PolicyInput, Scored, explain_decision

__all__ = [
    "NOTHING_MEASURED",
    "ROUTER_VERSION",
    "BudgetState",
    "CandidateFacts",
    "Decision",
    "Estimate",
    "Explanation",
    "Measure",
    "Measured",
    "PolicyInput",
    "Scored",
    "TierTrace",
    "candidate_facts",
    "decide",
    "decide_afresh",
    "decode_decision",
    "digest_of",
    "explain_decision",
    "replay",
]
