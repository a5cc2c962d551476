"""Code answers: what a model wrote runs against the case's unit tests, in the sandbox."""

import ast
import asyncio
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache

from trimtab.evaluation.case import Case, ScorerSpec
from trimtab.evaluation.sandbox import Limits, check_code
from trimtab.evaluation.scoring.options import Options, spec_of
from trimtab.evaluation.scoring.scorer import Score, ungraded

_BLOCK = re.compile(r"^[ \t]*```[ \t]*(\w*)[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.MULTILINE | re.DOTALL)
_PYTHON = ("python", "python3", "py", "")
_DEFINING = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)


class PythonTestsOptions(Options, frozen=True, kw_only=True):
    """Options of ``python_tests``."""

    partial: bool = False
    """Whether the score is the share of tests that passed, instead of 1 for all and 0 otherwise."""
    timeout_s: float = 10.0
    """Seconds for code and tests together, 0.1 to 600; processor time is held to the same."""
    memory_mb: int = 512
    """Address space, 64 to 65,536 megabytes; not enforced on macOS."""

    def __post_init__(self) -> None:
        if not (0.1 <= self.timeout_s <= 600 and 64 <= self.memory_mb <= 65536):
            raise ValueError("timeout_s is 0.1 to 600 and memory_mb 64 to 65536")


@dataclass(frozen=True, slots=True)
class PythonTests:
    """Grades code by running it."""

    options: PythonTestsOptions
    version: int = 1
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(os.cpu_count(), "trimtab-sandbox"), repr=False, compare=False
    )

    @property
    def spec(self) -> ScorerSpec:
        """Name and options."""
        return spec_of("python_tests", self.options)

    @property
    def is_binary(self) -> bool:
        """Unless shares are asked for."""
        return not self.options.partial

    @property
    def meaning(self) -> str:
        """What a score says."""
        if self.options.partial:
            return "share of the case's unit tests that the answer's code passes; 0 to 1, higher is better"
        return "1 when the answer's code passes all of the case's unit tests, otherwise 0; higher is better"

    async def score(self, case: Case, answer: str) -> Score:
        """Run the answer's code and the tests, as many at a time as there are processors."""
        problem = _problem_of(case.expected)
        if problem:
            return ungraded(problem)
        code = code_of(answer)
        if not code.strip():
            return Score(value=0.0, why="the answer holds no code")
        limits = Limits(
            wall_s=self.options.timeout_s, cpu_s=int(self.options.timeout_s) + 1, memory_mb=self.options.memory_mb
        )
        run = asyncio.get_running_loop().run_in_executor
        report = await run(self._threads, check_code, code, case.expected, limits)
        share = report.n_passed / report.n_checks
        return Score(value=share if self.options.partial else float(share == 1), why=report.why)


def code_of(answer: str) -> str:
    r"""Return the Python of an answer: its fenced blocks that are Python or name no language, else all of it.

    >>> code_of("Sure:\n```python\nx = 1\n```\nTry it:\n```bash\nls\n```")
    'x = 1\n'
    """
    blocks = [code for language, code in _BLOCK.findall(answer) if language.lower() in _PYTHON]
    return "\n".join(blocks) if blocks else answer


@lru_cache(maxsize=256)
def _problem_of(tests: str) -> str | None:
    """Return why tests can grade nothing, or ``None``."""
    try:
        body = ast.parse(tests).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        return f"the case's tests are no Python: {exc}"
    return None if any(map(_may_check, body)) else "the case's tests check nothing"


def _may_check(node: ast.stmt) -> bool:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return node.name.startswith("test")
    if isinstance(node, ast.ClassDef):
        return bool(node.bases)
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    return not isinstance(node, _DEFINING)
