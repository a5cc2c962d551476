"""Calls from elsewhere: reads logs and recorded outcomes into the journal, and writes calls out again."""

from trimtab.ingest.exporting import ExportFormat, safe_cell, write_calls, write_rows
from trimtab.ingest.fields import FieldError, Fields
from trimtab.ingest.files import Meter, RawRow, container_of, read_rows
from trimtab.ingest.flat import BODY_COLUMNS, COLUMNS, flatten
from trimtab.ingest.importing import AddMany, ImportReport, TooManyBadLines, run_import
from trimtab.ingest.outcomes import prompt_id_of
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
    "FieldError",
    "Fields",
    "Format",
    "ImportOptions",
    "ImportReport",
    "Meter",
    "Place",
    "RawRow",
    "Row",
    "Skipped",
    "Source",
    "TooManyBadLines",
    "check_mapping",
    "container_of",
    "flatten",
    "price_rows",
    "prompt_id_of",
    "read_calls",
    "read_mapping",
    "read_rows",
    "run_import",
    "safe_cell",
    "write_calls",
    "write_rows",
]
