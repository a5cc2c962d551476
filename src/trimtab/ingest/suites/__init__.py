"""Suites from elsewhere: tables of questions, Inspect AI logs, and recorded outcomes; and runs on their way out."""

from trimtab.ingest.suites.imported import ImportedSuite, SuiteOptions
from trimtab.ingest.suites.inspect_export import inspect_log_of
from trimtab.ingest.suites.inspect_log import read_inspect_suite
from trimtab.ingest.suites.inspect_sample import MAPPED_KEYS
from trimtab.ingest.suites.outcomes import OUTCOME_FIELDS, OutcomeChoice, read_groups, read_outcome_suite
from trimtab.ingest.suites.run_export import RUN_COLUMNS, run_rows
from trimtab.ingest.suites.table import TABLE_FIELDS, read_table_suite

__all__ = [
    "MAPPED_KEYS",
    "OUTCOME_FIELDS",
    "RUN_COLUMNS",
    "TABLE_FIELDS",
    "ImportedSuite",
    "OutcomeChoice",
    "SuiteOptions",
    "inspect_log_of",
    "read_groups",
    "read_inspect_suite",
    "read_outcome_suite",
    "read_table_suite",
    "run_rows",
]
