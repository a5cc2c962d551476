"""The embedded pool, the office it works for, and the demo's folder, traffic, grades and first rungs."""

from trimtab.lab.demo import DemoFiles, request_of, write_demo
from trimtab.lab.demo_config import LARGE, PROVEN, SMALL, TODAY
from trimtab.lab.demo_work import LEAST_CALLS, WORK, Work, WorkCase, draw_work
from trimtab.lab.grading import (
    CHECKER,
    Graded,
    Price,
    grade,
    graded_run,
    outcome_lines,
    price_list,
    run_of_calls,
    scorer_for,
    suite_of,
)
from trimtab.lab.pool import PoolModel, pool_models
from trimtab.lab.results import Compared, MoneyCheck, Part, check_money, compare_policies, parts_of
from trimtab.lab.rungs import ALPHA, MARGIN, Rungs, climb, compare_claims
from trimtab.lab.traffic import (
    CHAT_PATH,
    Answer,
    Completion,
    Judgement,
    Request,
    read_completion,
    read_traffic,
    send_all,
    send_feedback,
)

__all__ = [
    "ALPHA",
    "CHAT_PATH",
    "CHECKER",
    "LARGE",
    "LEAST_CALLS",
    "MARGIN",
    "PROVEN",
    "SMALL",
    "TODAY",
    "WORK",
    "Answer",
    "Compared",
    "Completion",
    "DemoFiles",
    "Graded",
    "Judgement",
    "MoneyCheck",
    "Part",
    "PoolModel",
    "Price",
    "Request",
    "Rungs",
    "Work",
    "WorkCase",
    "check_money",
    "climb",
    "compare_claims",
    "compare_policies",
    "draw_work",
    "grade",
    "graded_run",
    "outcome_lines",
    "parts_of",
    "pool_models",
    "price_list",
    "read_completion",
    "read_traffic",
    "request_of",
    "run_of_calls",
    "scorer_for",
    "send_all",
    "send_feedback",
    "suite_of",
    "write_demo",
]
