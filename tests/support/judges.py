"""Judges whose replies a test writes."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from trimtab.evaluation import Answer
from trimtab.evaluation.judging import JudgeModel, JudgeQuestion, Rubric

RUBRIC = Rubric(criteria=("Names the capital.", "Adds nothing false."))
COST = 1_000
MARK = re.compile(r"<<<[a-z-]+ ([0-9a-f]+)$", re.MULTILINE)


def mark_in(question: JudgeQuestion) -> str:
    """Return the mark that encloses the material."""
    found = MARK.search(question.messages[-1].content)
    assert found is not None
    return found[1]


def enclosed(question: JudgeQuestion, name: str) -> str:
    """Return what a judge that keeps to the marks reads under a name."""
    text, mark = question.messages[-1].content, mark_in(question)
    return text.split(f"<<<{name} {mark}\n", 1)[1].split(f"\n{name} {mark}>>>", 1)[0]


def as_json(word: str, verdict: object, reason: str = "so it is") -> str:
    return json.dumps({"reason": reason, word: verdict})


def as_line(question: JudgeQuestion, word: str, verdict: object, reason: str = "so it is") -> str:
    return f"{reason}\n{word}-{mark_in(question)}: {verdict}"


Reply = Callable[[JudgeQuestion], str | Exception]


@dataclass
class Script:
    """A judge that replies as a function says, and remembers what it was asked."""

    reply: Reply
    has_json_schema: bool = True
    cost_nano_usd: int | None = COST
    asked: list[JudgeQuestion] = field(default_factory=list)

    @property
    def model(self) -> JudgeModel:
        return JudgeModel(name="p:judge", version="v1", has_json_schema=self.has_json_schema, ask=self._ask)

    async def _ask(self, question: JudgeQuestion) -> Answer:
        self.asked.append(question)
        said = self.reply(question)
        if isinstance(said, Exception):
            raise said
        return Answer(text=said, cost_nano_usd=self.cost_nano_usd)
