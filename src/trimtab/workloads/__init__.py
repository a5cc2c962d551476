"""What kind of call it is: its workload, task type, sensitivity and shape, and the identifiers in it."""

from trimtab.workloads.classifier import Classification, Classifier
from trimtab.workloads.config import UNCLASSIFIED, MatchRule, WorkloadConfig
from trimtab.workloads.conversations import conversation_id_of
from trimtab.workloads.detector import SECRET_KINDS, Identifier, detect_identifiers, redact
from trimtab.workloads.fingerprints import fingerprint
from trimtab.workloads.hints import CallHints
from trimtab.workloads.redaction import redact_body
from trimtab.workloads.shapes import RequestShape, rounded_up
from trimtab.workloads.tasks import TASK_TYPES, TaskType, WorkloadClass

__all__ = [
    "SECRET_KINDS",
    "TASK_TYPES",
    "UNCLASSIFIED",
    "CallHints",
    "Classification",
    "Classifier",
    "Identifier",
    "MatchRule",
    "RequestShape",
    "TaskType",
    "WorkloadClass",
    "WorkloadConfig",
    "conversation_id_of",
    "detect_identifiers",
    "fingerprint",
    "redact",
    "redact_body",
    "rounded_up",
]
