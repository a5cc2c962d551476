"""The only room with SQL: the journal, its totals, policies, keys, budgets, artifacts, evaluations and the audit log.

SQLite and PostgreSQL run the same statements; ``docs/reference/tables.md`` explains every table.
"""

from trimtab.store.artifacts import Artifact, ArtifactKind, ArtifactStore
from trimtab.store.audit import AuditLog, AuditRecord, AuditVerdict
from trimtab.store.booking import Booked, Ledger
from trimtab.store.budgets import BudgetStore
from trimtab.store.database import Database, RowRefused
from trimtab.store.evaluation_rows import Recorded
from trimtab.store.evaluation_totals import RunTotals, run_totals
from trimtab.store.evaluations import EvaluationStore, Position, RunState, StoredRun
from trimtab.store.feedback import FeedbackStore
from trimtab.store.filters import CallFilter
from trimtab.store.importer import Importer
from trimtab.store.journal import Journal
from trimtab.store.keys import KeyStore, StoredKey
from trimtab.store.migrating import migrate, open_database
from trimtab.store.policies import PolicyStore, PolicyVersion
from trimtab.store.probes import Probe, ProbeStore
from trimtab.store.reader import CallReader
from trimtab.store.retention import prune
from trimtab.store.secrets import Secrets
from trimtab.store.spool import Spool
from trimtab.store.state import StateWatcher
from trimtab.store.totals import DayTotals, QualitySums, Totals

__all__ = [
    "Artifact",
    "ArtifactKind",
    "ArtifactStore",
    "AuditLog",
    "AuditRecord",
    "AuditVerdict",
    "Booked",
    "BudgetStore",
    "CallFilter",
    "CallReader",
    "Database",
    "DayTotals",
    "EvaluationStore",
    "FeedbackStore",
    "Importer",
    "Journal",
    "KeyStore",
    "Ledger",
    "PolicyStore",
    "PolicyVersion",
    "Position",
    "Probe",
    "ProbeStore",
    "QualitySums",
    "Recorded",
    "RowRefused",
    "RunState",
    "RunTotals",
    "Secrets",
    "Spool",
    "StateWatcher",
    "StoredKey",
    "StoredRun",
    "Totals",
    "migrate",
    "open_database",
    "prune",
    "run_totals",
]
