"""Pages that are written by a program: write them, or with ``--check`` say that one is out of date."""

import ast
import inspect
import sys
import textwrap
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def write_or_check(page: Path, text: str) -> int:
    """Write the page, or compare it when the command line says ``--check``; return the exit code."""
    name = page.relative_to(ROOT)
    if "--check" not in sys.argv[1:]:
        page.write_text(text)
        return 0
    if page.is_file() and page.read_text() == text:
        return 0
    print(f"{name} is out of date. Run `make pages` and commit the change.", file=sys.stderr)
    return 1


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a Markdown table; a ``|`` inside a cell is escaped."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def docstrings_of(kind: type) -> dict[str, str]:
    """Return the string under each field of a class and of Trimtab's classes above it; Python itself keeps none."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        if not one.__module__.startswith("trimtab"):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        assert isinstance(tree, ast.ClassDef)
        for field, below in pairwise(tree.body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and (text := _string(below)):
                found[field.target.id] = inspect.cleandoc(text).replace("``", "`").replace("\n", " ")
    return found


def about(kind: type) -> str:
    """Return the first paragraph of a class's own docstring, on one line."""
    return (inspect.getdoc(kind) or "").split("\n\n")[0].replace("``", "`").replace("\n", " ")


def _string(statement: ast.stmt) -> str:
    """Return the text of a statement that is a bare string, and nothing for any other."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return text
    return ""
