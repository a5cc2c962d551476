"""The invented office whose work the embedded pool is trained and measured on: a seeded generator, nothing else."""

from trimtab.lab.office.cases import BASE_STRATA, STRATA, OfficeCase, Split, Stratum, is_right
from trimtab.lab.office.exercises import Exercise, exercises
from trimtab.lab.office.generator import OFFICE_VERSION, TASKS, office_cases
from trimtab.lab.office.tasks import Drawn, Task, Wordings

__all__ = [
    "BASE_STRATA",
    "OFFICE_VERSION",
    "STRATA",
    "TASKS",
    "Drawn",
    "Exercise",
    "OfficeCase",
    "Split",
    "Stratum",
    "Task",
    "Wordings",
    "exercises",
    "is_right",
    "office_cases",
]
