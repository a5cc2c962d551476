"""Drafts: a suite on its way in, from a file, a table or a log, with what could not become a case."""

from collections.abc import Sequence

import msgspec

from trimtab.evaluation.case import Case
from trimtab.evaluation.problems import SuiteProblem, refusal_of
from trimtab.evaluation.scorer_names import spec_problem
from trimtab.evaluation.suite import Plan, Suite, problem_of, suite_problems

_SKIP_HINT = "Correct them, or load the rest with --skip-invalid."
_CORRECT_HINT = "Correct the lines, or what the plan asks for."


class SuiteReading(msgspec.Struct, frozen=True, kw_only=True):
    """A suite as far as it could be read."""

    suite: Suite | None
    """Of the lines that can be used; ``None`` when these make no suite."""
    problems: tuple[SuiteProblem, ...]
    n_skipped: int
    """Lines that are no case, and would be left out."""

    def required(self, *, skip_invalid: bool = False) -> Suite:
        """Return the suite.

        Args:
            skip_invalid: Whether lines that are no case may be left out.

        Raises:
            ConfigurationError: there is a problem. Without a usable suite it is raised even so.
        """
        if self.suite is None or (self.problems and not skip_invalid):
            raise refusal_of(self.problems, _CORRECT_HINT if self.suite is None else _SKIP_HINT)
        return self.suite


class SuiteDraft:
    """Takes cases one by one and keeps what is wrong with the others.

    Args:
        file: Where they come from, for problems.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._cases: list[Case] = []
        self._seen: dict[str, int | None] = {}
        self._problems: list[SuiteProblem] = []

    def add(self, case: Case, line: int | None, file: str | None = None) -> bool:
        """Take a case and return whether it is one; what is wrong with it is kept with its line."""
        problem = problem_of(case, self._seen)
        if problem is None and case.scorer is not None:
            problem = spec_problem(case.scorer)
        if problem is not None:
            first = self._seen.get(case.case_id)
            self.refuse(problem if first is None else f"{problem}, first in line {first}", line, file)
            return False
        self._seen[case.case_id] = line
        self._cases.append(case)
        return True

    def refuse(self, rule: str, line: int | None, file: str | None = None) -> None:
        """Keep a problem."""
        self._problems.append(SuiteProblem(file=file or self._file, line=line, rule=rule))

    @property
    def cases(self) -> Sequence[Case]:
        """The cases so far."""
        return self._cases

    def abandoned(self) -> SuiteReading:
        """Return the problems alone, where nothing further can be made out."""
        return SuiteReading(suite=None, problems=tuple(self._problems), n_skipped=0)

    def reading(self, name: str, version: str, plan: Plan) -> SuiteReading:
        """Return the suite that the cases make, with the problems of all lines and of the suite as a whole."""
        n_skipped = len(self._problems)
        if not self._cases and self._problems:
            return self.abandoned()  # that there is no case follows from the rest
        unknown = spec_problem(plan.scorer)
        rules = [*suite_problems(self._cases, plan), *([] if unknown is None else [f"the plan's scorer: {unknown}"])]
        whole = (SuiteProblem(file=self._file, line=None, rule=rule) for rule in rules)
        suite = None if rules else Suite(name=name, version=version, cases=tuple(self._cases), plan=plan)
        return SuiteReading(suite=suite, problems=(*self._problems, *whole), n_skipped=n_skipped)
