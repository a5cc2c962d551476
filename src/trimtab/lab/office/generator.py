"""Draws cases: the same split, seed, strata and version give the same cases on every machine."""

import random
from collections.abc import Iterator, Sequence
from itertools import islice

from trimtab.lab.office.cases import STRATA, OfficeCase, Split, Stratum
from trimtab.lab.office.drafting import DRAFTING_TASKS
from trimtab.lab.office.edge_cases import EDGE_TASKS
from trimtab.lab.office.reasoning import REASONING_TASKS
from trimtab.lab.office.routine import ROUTINE_TASKS
from trimtab.lab.office.tasks import Task

OFFICE_VERSION = 1
"""Grows when the same arguments would give other cases."""

TASKS: tuple[Task, ...] = (*ROUTINE_TASKS, *REASONING_TASKS, *DRAFTING_TASKS, *EDGE_TASKS)


def office_cases(split: Split, n: int, *, seed: int, strata: Sequence[Stratum] = STRATA) -> list[OfficeCase]:
    """Draw cases of office work with their answers.

    Args:
        split: ``train`` and ``test`` share no sentence.
        n: How many; an equal share of each of ``strata``, and of each task in it, up to one.
        seed: Another one gives other cases.
        strata: Which ones, in turn; one named twice gets twice the share.

    Returns:
        Cases of which no two have the same prompt.
    """
    return list(islice(_draws(split, seed, tuple(strata)), n))


def _draws(split: Split, seed: int, strata: tuple[Stratum, ...]) -> Iterator[OfficeCase]:
    dice = random.Random(f"{OFFICE_VERSION}:{split}:{seed}:{','.join(strata)}")
    tasks = {stratum: [task for task in TASKS if task.stratum == stratum] for stratum in strata}
    turns = dict.fromkeys(strata, 0)
    seen: set[str] = set()
    while True:
        for stratum in strata:
            task = tasks[stratum][turns[stratum] % len(tasks[stratum])]
            turns[stratum] += 1
            case = _fresh(task, split, dice, seen, f"{split}-{seed}-{len(seen)}")
            seen.add(case.prompt)
            yield case


def _fresh(task: Task, split: Split, dice: random.Random, seen: set[str], case_id: str) -> OfficeCase:
    while (case := _case(task, split, dice, case_id)).prompt in seen:
        pass
    return case


def _case(task: Task, split: Split, dice: random.Random, case_id: str) -> OfficeCase:
    wordings, drawn = task.wordings(split), task.draw(dice)
    ask, text = dice.randrange(len(wordings.asks)), dice.randrange(len(wordings.texts))
    return OfficeCase(
        case_id=case_id,
        prompt=f"{wordings.asks[ask]}\n- {wordings.texts[text]}".format_map(drawn.slots),
        expected=drawn.expected,
        stratum=task.stratum,
        task=task.name,
        task_type=task.task_type,
        template_id=f"{task.name}/{split}-{ask + 1}.{text + 1}",
        split=split,
    )
