"""What operators see and change: calls, workloads, policies, keys and the audit log."""

from trimtab.control.comparing import DecisionMoves, Move, PolicyDiff
from trimtab.control.desk import CallQuery, Desk
from trimtab.control.explaining import CallExplanation, WorkloadExplanation
from trimtab.control.key_requests import SCOPES, KeyChange, KeyRequest
from trimtab.control.keys import KeyDesk, MadeKey
from trimtab.control.operators import ADMIN, CONTROL_SCOPES, DATA_SCOPES, Operator, local_operator
from trimtab.control.policies import Applied, PolicyCheck, PolicyDesk
from trimtab.control.reports import DaySummary, ModelRow, ModelShare, Sums, WorkloadSummary

__all__ = [
    "ADMIN",
    "CONTROL_SCOPES",
    "DATA_SCOPES",
    "SCOPES",
    "Applied",
    "CallExplanation",
    "CallQuery",
    "DaySummary",
    "DecisionMoves",
    "Desk",
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
    "local_operator",
]
