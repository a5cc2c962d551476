"""The pages name what the commands know: formats, fields, columns, and options that exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from trimtab.cli.frame import NOUNS, command_of, globals_first
from trimtab.ingest import BODY_COLUMNS, COLUMNS, FORMATS, TARGETS

DOCS = Path(__file__).resolve().parents[3] / "docs"
FORMATS_PAGE = (DOCS / "reference/import-formats.md").read_text()


def _listed(heading: str) -> list[str]:
    """Return the first cells of the tables under a heading."""
    section = FORMATS_PAGE.split(f"{heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `([^`-][^`]*)` \|", section, re.MULTILINE)


def test_every_format_is_listed_and_has_its_section() -> None:
    assert _listed("# Import formats") == list(FORMATS)
    assert set(re.findall(r"^## (\S+)$", FORMATS_PAGE, re.MULTILINE)) == set(FORMATS) - {"trimtab", "table"}


def test_every_field_and_column_is_listed() -> None:
    assert _listed("## Any other table") == list(TARGETS)
    assert _listed("## What an export holds") == [*COLUMNS, *BODY_COLUMNS]


def _commands(page: Path) -> Iterator[list[str]]:
    for block in re.findall(r"^```sh[^\n]*\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            given = re.sub(r'"\$\([^)]*\)"', "VALUE", line)  # what another command prints
            for part in re.split(r"\||&&|=\$\(", given):
                if part.strip().startswith("trimtab "):
                    yield shlex.split(part.strip().rstrip(")"), comments=True)[1:]


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_every_command_on_a_page_exists_with_its_options(page: Path) -> None:
    trees = {noun.name: dict(command_of(noun.name)) for noun in NOUNS if _names(page, noun.name)}
    for words in _commands(page):
        noun, *rest = [word for word in globals_first(words) if word]
        path = f"trimtab {noun}"
        while path not in trees[noun]:  # a noun with verbs, or with nouns of its own
            path, rest = f"{path} {rest[0]}", rest[1:]
        trees[noun][path].make_context(path, rest)


def _names(page: Path, noun: str) -> bool:
    return any(noun in words for words in _commands(page))
