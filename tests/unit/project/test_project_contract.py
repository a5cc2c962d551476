"""The house is as it is drawn: layers, rooms, and no SQL glued together from strings."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
SOURCES = sorted((ROOT / "src/trimtab").rglob("*.py"))
_TAKES_SQL = {"text", "exec_driver_sql", "execute", "executemany", "executescript"}


def _pyproject() -> dict[str, Any]:  # Any: TOML
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_drawing_equals_the_import_contract() -> None:
    page = (ROOT / "docs/explanation/architecture.md").read_text()
    drawing = page.split("<!-- layers:")[1].split("```text\n")[1].split("```")[0]
    drawn = [re.sub(r" +\| +", " | ", re.split(r"   +", line)[0]) for line in drawing.splitlines()]

    contracts = _pyproject()["tool"]["importlinter"]["contracts"]
    assert drawn == next(contract["layers"] for contract in contracts if contract["type"] == "layers")


def test_imports_keep_the_contract() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_attack_1_no_sql_is_built_from_values() -> None:
    assert {place for path in SOURCES for place in _built_sql(path)} == set()


def test_the_sql_check_sees_what_it_forbids(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(
        'text(f"SELECT {x}")\nc.execute("a" + b)\nc.execute("%s" % x)\ntext("{}".format(x))\ntext("SELECT 1")\n'
    )

    assert [place.split(":")[1] for place in _built_sql(sample)] == ["1", "2", "3", "4"]


def test_every_file_is_short_enough_to_hold_one_idea() -> None:
    too_long = [path for path in SOURCES if len(path.read_text().splitlines()) > 500]
    assert len(too_long) <= len(SOURCES) / 20, too_long


def _built_sql(path: Path) -> list[str]:
    """Return the places where a call that takes SQL gets a string made at run time."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and _name(node.func) in _TAKES_SQL and node.args and _is_built(node.args[0]):
            found.append(f"{path.name}:{node.lineno}")
    return found


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _is_built(argument: ast.expr) -> bool:
    match argument:
        case ast.JoinedStr():
            return any(isinstance(part, ast.FormattedValue) for part in argument.values)
        case ast.BinOp(op=ast.Add() | ast.Mod()):
            return True
        case ast.Call(func=ast.Attribute(attr="format")):
            return True
    return False
