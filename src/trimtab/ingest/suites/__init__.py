"""Suites from elsewhere: tables of questions, Inspect AI logs, and recorded outcomes of several models."""

from trimtab.ingest.suites.imported import ImportedSuite, SuiteOptions
from trimtab.ingest.suites.inspect_log import read_inspect_suite
from trimtab.ingest.suites.inspect_sample import MAPPED_KEYS
from trimtab.ingest.suites.outcomes import OUTCOME_FIELDS, OutcomeChoice, read_groups, read_outcome_suite
from trimtab.ingest.suites.table import TABLE_FIELDS, read_table_suite

__all__ = [
    "MAPPED_KEYS",
    "OUTCOME_FIELDS",
    "TABLE_FIELDS",
    "ImportedSuite",
    "OutcomeChoice",
    "SuiteOptions",
    "read_groups",
    "read_inspect_suite",
    "read_outcome_suite",
    "read_table_suite",
]
