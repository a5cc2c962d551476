"""The decision pipeline: policy permits, constraints exclude, a mode orders; every choice explains itself."""

from trimtab.routing.candidates import EXPECTED_OUTPUT_TOKENS, candidate_facts, expected_output_tokens
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
    "EXPECTED_OUTPUT_TOKENS",
    "ROUTER_VERSION",
    "BudgetState",
    "CandidateFacts",
    "Decision",
    "Estimate",
    "Explanation",
    "PolicyInput",
    "Scored",
    "TierTrace",
    "candidate_facts",
    "decide",
    "decode_decision",
    "digest_of",
    "expected_output_tokens",
    "explain_decision",
    "replay",
]
