"""Write docs/reference/requirements.md: every row of the contract with the tests named after it."""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from generated import ROOT, table, write_or_check

PAGE = ROOT / "docs/reference/requirements.md"
ROWS = ROOT / "scripts/requirements.toml"
_LETTERS = {"s": "S", "promise_": "P", "attack_": "A"}
_NAME = re.compile(r"test_(?:(?:s|promise_|attack_)\d+(?:_|$))+")
_PART = re.compile(r"(s|promise_|attack_)0*(\d+)(?=_|$)")

_HEAD = """\
# Requirements

Written by `scripts/requirements.py` from the contract's rows and the names of the tests; do not edit.

A row is **met** when an automated test carries its name (`test_s23_…`, `test_promise_1_…`, `test_attack_16_…`) and
`make test` is green. Every other row is **later**: it belongs to a room that is drawn and not furnished yet. A test
that is always skipped proves nothing and is not counted.
"""


def main() -> int:
    """Write or check the page."""
    return write_or_check(PAGE, render(tomllib.loads(ROWS.read_text()), find_tests(ROOT / "tests")))


def find_tests(folder: Path) -> dict[str, list[str]]:
    """Return row ids with the tests named after them, as ``path::name`` relative to the tests' folder."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("test_*.py")):
        for name in _test_names(ast.parse(path.read_text())):
            for row in rows_of(name):
                found[row].append(f"{path.relative_to(folder)}::{name}")
    return found


def rows_of(name: str) -> list[str]:
    """Return the rows a test proves: ``test_s22_s23_and_more`` proves S22 and S23."""
    head = _NAME.match(name)
    return [] if head is None else [_LETTERS[kind] + number for kind, number in _PART.findall(head[0])]


def render(contract: dict[str, list[dict[str, object]]], tests: dict[str, list[str]]) -> str:
    """Return the page.

    Raises:
        ValueError: a test names a row that the contract does not have.
    """
    groups = [(str(group["title"]), _rows(group)) for group in contract["group"]]
    known = {row for _, rows in groups for row in rows}
    if strangers := sorted(set(tests) - known):
        raise ValueError(f"tests name rows that do not exist: {', '.join(strangers)}")
    n_met = sum(1 for row in known if tests.get(row))
    parts = [_HEAD, f"{n_met} of {len(known)} rows are met.\n"]
    for title, rows in groups:
        lines: list[tuple[str, ...]] = [
            (row, text, "met" if tests.get(row) else "later", _list(tests.get(row, []))) for row, text in rows.items()
        ]
        parts.append(f"## {title}\n\n{table(('Row', 'Requirement', 'State', 'Tests'), lines)}\n")
    return "\n".join(parts)


def _rows(group: dict[str, object]) -> dict[str, str]:
    rows = group["rows"]
    assert isinstance(rows, dict)
    return rows


def _list(tests: list[str]) -> str:
    return "<br>".join(f"`{test}`" for test in tests)


def _test_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() if not any(map(_gives_up, node.decorator_list)):
                yield node.name


def _gives_up(decorator: ast.expr) -> bool:
    """Whether a decorator skips the test always or lets it fail."""
    text = ast.unparse(decorator)
    return re.match(r"pytest\.mark\.(skip|xfail)\b", text) is not None


if __name__ == "__main__":
    raise SystemExit(main())
