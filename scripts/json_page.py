"""Write docs/reference/json.md: every field that `--json` and the control API print, from the records' own classes."""

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from generated import ROOT, about, docstrings_of, table, write_or_check

from trimtab.catalog import ProbeResult
from trimtab.cli.demo_run import DemoResult
from trimtab.cli.eval_judge_card import MeasuredJudge
from trimtab.cli.eval_judge_check import CheckedJudge
from trimtab.cli.eval_judge_label import Labelled
from trimtab.cli.eval_list import ListedRun
from trimtab.cli.eval_report import EvaluationReport
from trimtab.cli.eval_suite_check import CheckedSuite
from trimtab.cli.eval_suite_import_report import SuiteImported
from trimtab.cli.eval_suite_show import ShownSuite
from trimtab.cli.import_report import Imported
from trimtab.cli.lab import Measured
from trimtab.cli.policy_simulate import Simulated
from trimtab.cli.workloads_classify import Classified
from trimtab.control import (
    Applied,
    CallExplanation,
    MadeKey,
    ModelRow,
    PolicyDiff,
    WorkloadExplanation,
    WorkloadSummary,
)
from trimtab.evaluation import ComparisonReport, GateVerdict, Profile
from trimtab.evaluation.judging import Corrected
from trimtab.policy import Finding as PolicyFinding
from trimtab.policy import TestOutcome
from trimtab.server import Addresses
from trimtab.store import AuditRecord, AuditVerdict, PolicyVersion, StoredKey
from trimtab.wiring.checking import Finding
from trimtab.wiring.evaluating import RunEstimate

PAGE = ROOT / "docs/reference/json.md"

PRINTED: tuple[tuple[str, str, type], ...] = (
    ("demo", "one, under `report`", DemoResult),
    ("serve", "one, on one line", Addresses),
    ("check`, `doctor", "a list of", Finding),
    ("calls import", "one", Imported),
    ("workloads list", "a list of", WorkloadSummary),
    ("workloads show", "one", WorkloadSummary),
    ("workloads classify", "one", Classified),
    ("models list", "a list of", ModelRow),
    ("models probe", "one", ProbeResult),
    ("policy lint", "a list of", PolicyFinding),
    ("policy test", "a list of", TestOutcome),
    ("policy diff", "one", PolicyDiff),
    ("policy simulate", "one", Simulated),
    ("policy apply`, `policy rollback", "one", Applied),
    ("policy list", "a list of", PolicyVersion),
    ("policy show", "one", PolicyVersion),
    ("explain CALL", "one", CallExplanation),
    ("explain WORKLOAD", "one", WorkloadExplanation),
    ("eval compare", "one", ComparisonReport),
    ("eval gate", "a list of", GateVerdict),
    ("eval show", "one, or a comparison", Profile),
    ("eval suite import", "one", SuiteImported),
    ("eval suite check", "a list of", CheckedSuite),
    ("eval suite show", "one", ShownSuite),
    ("eval judge label", "one", Labelled),
    ("eval judge card", "a list of", MeasuredJudge),
    ("eval judge check", "a list of", CheckedJudge),
    ("eval judge correct", "one", Corrected),
    ("eval run`, `eval score", "one", EvaluationReport),
    ("eval run --dry-run", "a list of", RunEstimate),
    ("eval list", "a list of", ListedRun),
    ("keys create", "one", MadeKey),
    ("keys list", "a list of", StoredKey),
    ("keys update`, `keys revoke", "one", StoredKey),
    ("lab train`, `lab evaluate", "a list of", Measured),
    ("audit verify", "one", AuditVerdict),
    ("audit list`, `audit export", "a list of, or lines of", AuditRecord),
)

_HEAD = """\
# JSON

Written by `scripts/json_page.py` from the records' classes; do not edit.

What `--json` prints. The control API answers with the same records. Fields are only ever added. Amounts of money come
as whole nano-dollars (`cost_nano_usd`) and as a decimal with every digit in text (`cost_usd`), instants as microseconds
since 1970 in UTC (`…_at_us`). Unknown is `null`, or the field is missing; it is never 0.

`calls list` and `calls show` print the [columns of an export](import-formats.md#what-an-export-holds).
"""


def main() -> int:
    """Write or check the page."""
    rows = [(f"`{command}`", f"{how} [{_name(kind)}](#{_name(kind).lower()})") for command, how, kind in PRINTED]
    parts = [_HEAD, table(("Command", "Prints"), rows) + "\n"]
    for kind in _all_kinds():
        parts.append(f"## {_name(kind)}\n\n{about(kind).replace('`None`', '`null`')}\n")
        parts.append(table(("Field", "Type", "Meaning"), list(_rows(kind))) + "\n")
    return write_or_check(PAGE, "\n".join(parts))


def _all_kinds() -> list[type]:
    """Return every record that is printed, the inner ones after the outer one that holds them first."""
    found: dict[type, None] = {}
    waiting = [kind for _, _, kind in PRINTED]
    while waiting:
        kind = waiting.pop(0)
        if kind not in found:
            found[kind] = None
            waiting += [inner for hint in _hints(kind).values() for inner in _records_in(hint)]
    return list(found)


def _hints(kind: Any) -> dict[str, Any]:  # Any: annotations have no common type, nor have the two kinds of record
    names = kind.__struct_fields__ if issubclass(kind, msgspec.Struct) else [f.name for f in dataclasses.fields(kind)]
    hints = get_type_hints(kind)
    return {name: hints[name] for name in names}


def _records_in(hint: Any) -> Iterator[type]:
    if inspect.isclass(hint) and (issubclass(hint, msgspec.Struct) or dataclasses.is_dataclass(hint)):
        yield hint
    for part in get_args(hint):
        yield from _records_in(part)


def _rows(kind: type) -> Iterator[tuple[str, ...]]:
    meanings = docstrings_of(kind)
    for name, hint in _hints(kind).items():
        yield f"`{name}`", _type(hint), meanings.get(name, "").replace("`None`", "`null`")


def _type(hint: Any) -> str:
    if hint is type(None):
        return "null"
    if any(True for _ in _records_in(hint)) and not get_args(hint):
        return f"[{_name(hint)}](#{_name(hint).lower()})"
    if get_origin(hint) is None:
        return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}.get(
            getattr(hint, "__name__", ""), str(getattr(hint, "__name__", hint))
        )
    inner = [part for part in get_args(hint) if part is not ...]
    name = getattr(get_origin(hint), "__name__", "")
    if name == "Literal":
        return " or ".join(f"`{part}`" for part in inner)
    if name in {"tuple", "list", "frozenset"}:
        return f"list of {_type(inner[0])}"
    if name in {"dict", "Mapping", "Counter"}:
        return f"{_type(inner[0])} to {_type(inner[1])}"
    return " or ".join(_type(part) for part in inner)


def _name(kind: type) -> str:
    """Return a record's name; two that share one are told apart by their room."""
    return "PolicyFinding" if kind is PolicyFinding else kind.__name__


if __name__ == "__main__":
    raise SystemExit(main())
