"""The pages about statistics list what there is, and what they say about imports and examples is true."""

import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import trimtab.stats

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "reference/statistics.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| `(trimtab\.stats[.\w]*)` \| (`stats`)? ?\|", re.MULTILINE)
MODULES = [f"trimtab.stats.{found.name}" for found in pkgutil.iter_modules(trimtab.stats.__path__)]
PUBLIC = [name for name in MODULES if not name.rpartition(".")[2].startswith("_")]

NEITHER_TEST_NOR_INTERVAL = {
    "pairs_for_noninferiority",
    "cases_for_noninferiority",
    "noninferiority_power",
    "pairs_for_superiority",
    "discordance_of_rates",
    "cases_for_difference",
    "smallest_detectable_difference",
    "importance_weights",
    "effective_sample_size",
    "normal_mixture_rho",
    "normal_quantile",
    "p_to_e",
}
"""Plans, weights, quantiles and conversions: functions that decide and bound nothing."""


def exported() -> set[tuple[str, str]]:
    """Return every public name of the package with the module to import it from."""
    names = {("trimtab.stats", name) for name in trimtab.stats.__all__}
    for module in PUBLIC:
        own = getattr(importlib.import_module(module), "__all__", [])
        names |= {(module, name) for name in own if name not in trimtab.stats.__all__}
    return names


def test_every_public_name_is_listed_in_the_reference_with_its_module() -> None:
    assert {(module, name) for name, module, _ in ROW.findall(PAGE)} == exported()


def loaded_by(module: str) -> set[str]:
    """Return which of numpy and scipy a fresh interpreter has loaded after importing the module."""
    code = f"import sys, {module}; print(*(name for name in ('numpy', 'scipy') if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_the_package_and_all_modules_without_the_extra_load_neither_numpy_nor_scipy() -> None:
    needs_extra = {module for _, module, extra in ROW.findall(PAGE) if extra} - {"trimtab.stats.proportions"}
    plain = [module for module in PUBLIC if module not in needs_extra]

    assert len(plain) >= 12
    assert loaded_by(", ".join(["trimtab.stats", *plain])) == set()


@pytest.mark.parametrize("module", [module for module in PUBLIC if module.endswith(("betting", "off_policy"))])
def test_a_module_of_the_extra_loads_numpy_only_until_scipy_is_needed(module: str) -> None:
    assert loaded_by(module) == {"numpy"}


@pytest.mark.parametrize("module", [module for module in PUBLIC if not module.endswith(("intervals", "quantiles"))])
def test_every_function_and_detector_has_an_example_and_a_source(module: str) -> None:
    imported = importlib.import_module(module)
    own = [getattr(imported, name) for name in imported.__all__]

    for item in own:
        if inspect.isfunction(item) or hasattr(item, "add"):
            assert ">>>" in (item.__doc__ or ""), item
            assert "Source:" in (item.__doc__ or ""), item


def test_the_examples_of_the_explanation_run() -> None:
    page = str(DOCS / "explanation/statistics.md")
    failed, attempted = doctest.testfile(page, module_relative=False, optionflags=doctest.ELLIPSIS)

    assert failed == 0
    assert attempted >= 5


def test_every_test_and_interval_has_its_row_with_when_formula_and_source_and_nothing_else_has() -> None:
    page = (DOCS / "reference/tests-and-intervals.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|((?:[^\n]+\|){3})$", page.split("## One rate or mean")[1], re.MULTILINE)
    names = [name for name, _ in rows]

    functions = {
        name for module, name in exported() if inspect.isfunction(getattr(importlib.import_module(module), name))
    }
    assert sorted(names) == sorted(functions - NEITHER_TEST_NOR_INTERVAL)
    assert functions >= NEITHER_TEST_NOR_INTERVAL
    assert [name for name, cells in rows if not all(cell.strip() for cell in cells.strip("|").split(" | "))] == []
