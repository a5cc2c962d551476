"""Calls from elsewhere: reads logs and recorded outcomes into the journal, and writes calls out again."""

from trimtab.ingest.exporting import ExportFormat, safe_cell, write_calls
from trimtab.ingest.files import Meter, container_of
from trimtab.ingest.flat import BODY_COLUMNS, COLUMNS, flatten
from trimtab.ingest.importing import AddMany, ImportReport, TooManyBadLines, run_import
from trimtab.ingest.pricing import price_rows
from trimtab.ingest.reading import FORMATS, Format, Source, read_calls
from trimtab.ingest.rows import UNDATED_AT, BadLine, ImportOptions, Place, Row, Skipped
from trimtab.ingest.table import TARGETS, check_mapping, read_mapping

__all__ = [
    "BODY_COLUMNS",
    "COLUMNS",
    "FORMATS",
    "TARGETS",
    "UNDATED_AT",
    "AddMany",
    "BadLine",
    "ExportFormat",
    "Format",
    "ImportOptions",
    "ImportReport",
    "Meter",
    "Place",
    "Row",
    "Skipped",
    "Source",
    "TooManyBadLines",
    "check_mapping",
    "container_of",
    "flatten",
    "price_rows",
    "read_calls",
    "read_mapping",
    "run_import",
    "safe_cell",
    "write_calls",
]
