"""The page on the tables explains every one of them, column by column."""

import re
from pathlib import Path

import pytest

from trimtab.store.tables import metadata

PAGE = Path(__file__).resolve().parents[3] / "docs/reference/tables.md"


def explained() -> dict[str, dict[str, tuple[str, str]]]:
    """Return what the page says of each column, what it means and when it is empty, by table."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for section in PAGE.read_text().split("\n## ")[1:]:
        cells = [[cell.strip() for cell in line.split("|")] for line in section.splitlines() if line.startswith("| `")]
        for title in re.findall(r"`(\w+)`", section.splitlines()[0]):
            found[title] = {row[1].strip("`"): (row[2], row[3]) for row in cells}
    del found["rollup_hour"]["day"], found["rollup_day"]["hour"]  # they share a section
    return found


def test_the_page_has_every_table_and_no_other() -> None:
    assert explained().keys() == metadata.tables.keys()


@pytest.mark.parametrize("table", metadata.tables)
def test_the_page_has_every_column_in_order(table: str) -> None:
    assert list(explained()[table]) == metadata.tables[table].columns.keys()


@pytest.mark.parametrize("table", metadata.tables)
def test_the_page_says_of_each_column_what_it_means_and_whether_it_can_be_empty(table: str) -> None:
    for name, (means, is_empty) in explained()[table].items():
        assert len(means) >= 8, name
        assert (is_empty == "never") is not metadata.tables[table].columns[name].nullable, name
