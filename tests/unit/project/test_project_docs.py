"""Pages equal the code they speak of, and the site stands on its own."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"


@pytest.mark.parametrize(
    "script",
    ["requirements.py", "error_codes.py", "settings_page.py", "commands_page.py", "json_page.py", "pictures.py"],
)
def test_pages_written_from_code_are_current(script: str) -> None:
    done = subprocess.run([sys.executable, f"scripts/{script}", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_error_code_is_defined_in_the_tree_and_listed() -> None:
    page = (DOCS / "reference/errors.md").read_text()
    listed = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))

    defined = _codes(ROOT / "src/trimtab/core/errors.py")
    elsewhere = {code for path in (ROOT / "src/trimtab").rglob("*.py") for code in _codes(path)} - defined

    assert listed == defined
    assert elsewhere == set()


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lists = [
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]
    needed = {re.split(r"[\[<>=!~; ]", line)[0].lower() for lines in lists for line in lines}

    page = (DOCS / "explanation/dependencies.md").read_text()
    rows = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("| `")]

    assert {cells[0].strip(" `") for cells in rows} == needed
    assert all(len(cells) == 4 and all(cell.strip() for cell in cells) for cells in rows)


def test_every_decision_has_its_five_parts() -> None:
    parts = ["## Context", "## Options", "## Choice", "## Consequence", "## Evidence"]
    for page in sorted((DOCS / "decisions").glob("[0-9]*.md")):
        headings = [line for line in page.read_text().splitlines() if line.startswith("## ")]
        assert [part for part in headings if part in parts] == parts, page.name
        assert page.read_text().startswith(f"# {page.name[:4]}: "), page.name


def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr

    loads = re.compile(r'<(?:script|img|iframe)[^>]*\bsrc="?(?:https?:)?//|<link[^>]*\bhref="?(?:https?:)?//(?!schema)')
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 10
    assert [page.name for page in pages if loads.search(page.read_text())] == []


def test_every_room_has_its_line_under_the_drawing() -> None:
    page = (DOCS / "explanation/architecture.md").read_text()
    listed = re.findall(r"^\| `(\w+)` \| .+ \|$", page, re.MULTILINE)

    assert sorted(listed) == sorted(path.parent.name for path in (ROOT / "src/trimtab").glob("*/__init__.py"))


def test_every_place_in_the_house_is_where_the_table_says() -> None:
    page = (DOCS / "explanation/architecture.md").read_text()
    table = page.split("<!-- places:")[1].split("\n\n")[0]
    files = re.findall(r"`(\w+/\w+\.py)`", table)

    assert len(files) > 20
    assert [name for name in files if not (ROOT / "src/trimtab" / name).exists()] == []


def test_every_setting_has_a_meaning() -> None:
    rows = [line for line in (DOCS / "reference/settings.md").read_text().splitlines() if line.startswith("| `")]

    assert len(rows) > 80
    assert [row for row in rows if not row.split(" | ")[-1].rstrip(" |")] == []


@pytest.mark.parametrize("folder", ["how-to", "reference"])
def test_the_index_of_a_folder_lists_every_page_of_it(folder: str) -> None:
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", (DOCS / folder / "index.md").read_text()))

    assert listed == {page.name for page in (DOCS / folder).glob("*.md")} - {"index.md"}


@pytest.mark.parametrize("folder", ["explanation", "tutorials"])
def test_the_first_page_leads_to_every_page_of_a_folder_without_an_index(folder: str) -> None:
    listed = set(re.findall(rf"\]\({folder}/([\w-]+\.md)\)", (DOCS / "index.md").read_text()))

    assert listed == {page.name for page in (DOCS / folder).glob("*.md")}


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_of_the_pages_outside_the_site_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / name).read_text())

    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_no_page_names_a_file_of_the_sources_that_is_not_there() -> None:
    named = re.compile(r"`((?:src|tests|scripts|docs|benchmarks|requirements)/[\w./-]+\.\w+)`")
    missing = {
        f"{page.name}: {path}"
        for page in [*DOCS.rglob("*.md"), *ROOT.glob("*.md")]
        for path in named.findall(page.read_text())
        if "NNNN" not in path and not (ROOT / path).exists()
    }
    assert missing == set()


def test_the_tutorials_blocks_are_found() -> None:
    from tests.support.tutorial import blocks_of

    blocks = blocks_of((DOCS / "tutorials/five-minutes.md").read_text())
    assert [block.title for block in blocks if block.title] == ["policy.yaml", "Terminal 1", "ask.py"]
    assert "pip install" not in "".join(block.text for block in blocks)


def _codes(path: Path) -> set[str]:
    """Return the values given to ``code`` in the classes of a file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        for line in node.body if isinstance(node, ast.ClassDef) else ():
            match line:
                case ast.AnnAssign(target=ast.Name(id="code"), value=ast.Constant(value=str(code))):
                    found.add(code)
                case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str(code))):
                    found.add(code)
    return found
