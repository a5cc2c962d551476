"""What operators see and change: calls, workloads, policies, keys and the audit log."""

from trimtab.control.comparing import DecisionMoves, Move, PolicyDiff
from trimtab.control.desk import Desk
from trimtab.control.explaining import CallExplanation, WorkloadExplanation
from trimtab.control.infrastructure import InfrastructureLine
from trimtab.control.key_requests import (
    APP_PATTERN,
    MAX_DAYS,
    MAX_NAME,
    MAX_RATE,
    SCOPES,
    USD_PATTERN,
    KeyChange,
    KeyRequest,
)
from trimtab.control.keys import KeyDesk, MadeKey
from trimtab.control.operators import DATA_SCOPES, Operator, local_operator
from trimtab.control.policies import Applied, PolicyCheck, PolicyDesk, policy_in_force
from trimtab.control.policy_file import actor_of
from trimtab.control.probes import latest_probes, save_probe
from trimtab.control.reports import DaySummary, ModelRow, ModelShare, Sums, WorkloadSummary, priced_by

__all__ = [
    "APP_PATTERN",
    "DATA_SCOPES",
    "MAX_DAYS",
    "MAX_NAME",
    "MAX_RATE",
    "SCOPES",
    "USD_PATTERN",
    "Applied",
    "CallExplanation",
    "DaySummary",
    "DecisionMoves",
    "Desk",
    "InfrastructureLine",
    "KeyChange",
    "KeyDesk",
    "KeyRequest",
    "MadeKey",
    "ModelRow",
    "ModelShare",
    "Move",
    "Operator",
    "PolicyCheck",
    "PolicyDesk",
    "PolicyDiff",
    "Sums",
    "WorkloadExplanation",
    "WorkloadSummary",
    "actor_of",
    "latest_probes",
    "local_operator",
    "policy_in_force",
    "priced_by",
    "save_probe",
]
