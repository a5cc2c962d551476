"""The house is as it is drawn: layers, rooms and their doors, and no SQL glued together from strings."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
SOURCES = sorted((ROOT / "src/trimtab").rglob("*.py"))
_TAKES_SQL = {"text", "exec_driver_sql", "execute", "executemany", "executescript"}

OPEN_MODULES = {
    "trimtab.control.numbers",  # one way to show a figure, for the command line and the pages
    "trimtab.control.plain",
    "trimtab.evaluation.judging",  # for whoever asks or measures judges; a run without one loads none of it
    "trimtab.ingest.suites",  # suites, for the command that makes them; an import of calls does not load it
    "trimtab.lab.office",  # the generator, the models and their training: three parts that nobody loads together
    "trimtab.lab.pool",
    "trimtab.lab.training",
    "trimtab.replay.evaluating",  # runs, for the commands that make them; simulating a policy does not load them
    "trimtab.serving.gguf",  # model files, for the commands and the lab; a gateway that starts does not load them
    "trimtab.serving.http",
    "trimtab.serving.variants",
    "trimtab.stats.agreement",  # `stats` is entered module by module, so that nobody loads numpy for a rate
    "trimtab.stats.bootstrap",
    "trimtab.stats.judge_error",
    "trimtab.stats.mcnemar",
    "trimtab.stats.multiplicity",
    "trimtab.stats.paired",
    "trimtab.stats.paired_scores",
    "trimtab.stats.power",
    "trimtab.stats.prediction_powered",
    "trimtab.stats.ratios",
    "trimtab.stats.stratified",
    "trimtab.wiring.checking",  # `check`, `doctor` and `init` look around; a gateway that starts does not load that
    "trimtab.wiring.detection",
    "trimtab.wiring.evaluating",
}
"""Modules that other rooms import by name. All of ``core`` is open too; any other room is entered by its front door."""

READ_THE_ENVIRONMENT = {
    "cli/context.py": "TRIMTAB_CONFIG, before there are settings",
    "cli/demo_gateway.py": "handed on to the demo's gateway, without what points elsewhere",
    "cli/eval_run.py": "the key of the gateway that an evaluation asks, where an option names its variable",
    "cli/init.py": "which provider keys are set",
    "gateway/metrics.py": "where prometheus_client keeps the counts of several workers",
    "providers/api_key.py": "the key itself, read again when it changes",
    "server/process.py": "handed on to the workers",
    "serving/found.py": "the key of a server that runs by itself",
    "serving/process.py": "handed on to the engines that are started here",
    "wiring/checking.py": "whether a provider's key is set",
    "wiring/settings.py": "every setting",
}


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


def test_a_room_is_entered_by_its_front_door() -> None:
    doors = {path.parent.name: _exported(path) for path in (ROOT / "src/trimtab").glob("*/__init__.py")}

    past_the_door = [
        f"{path.relative_to(ROOT)}: {module} {name}"
        for path in SOURCES
        for module, name in _imported(path)
        if module.split(".")[1] not in ("core", path.relative_to(ROOT / "src/trimtab").parts[0])
        and not {module, f"{module}.{name}"} & OPEN_MODULES
        and (module.count(".") > 1 or name not in doors[module.split(".")[1]])
    ]
    assert past_the_door == []


def test_the_environment_is_read_in_few_places_each_with_its_reason() -> None:
    found = {
        str(path.relative_to(ROOT / "src/trimtab"))
        for path in SOURCES
        if any(isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") for node in _nodes(path))
    }
    assert found == set(READ_THE_ENVIRONMENT)


def test_every_suppression_and_every_broad_except_gives_its_reason() -> None:
    silent = re.compile(
        r"# type: ignore(?!\[[\w,-]+\]  # \w)|# noqa(?!: \w+  # \w)"
        r"|except (?:Base)?Exception(?: as \w+)?:(?!  # \w)|except:"
    )
    assert [
        f"{path.name}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if silent.search(line)
    ] == []


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


def _nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text()))


def _imported(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the modules of other rooms that a file imports from, each with the name."""
    for node in _nodes(path):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("trimtab."):
            yield from ((str(node.module), alias.name) for alias in node.names)


def _exported(path: Path) -> set[str]:
    """Return a package's ``__all__``."""
    lists = [
        node.value
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
    ]
    return {name for listed in lists for name in ast.literal_eval(listed)}


def _built_sql(path: Path) -> list[str]:
    """Return the places where a call that takes SQL gets a string made at run time."""
    found = []
    for node in _nodes(path):
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
