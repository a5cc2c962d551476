"""How a judge is asked: a question in a stated form, once more where the reply has another, and never in silence."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

import msgspec

from trimtab.core.errors import ConfigurationError, NotFound, StoreError, TrimtabError
from trimtab.evaluation.case import Message
from trimtab.evaluation.judging.reply import Form, Reply
from trimtab.evaluation.running import Answer

T = TypeVar("T")
N_TRIES = 2
"""A reply in another form than asked is asked for again once; the second one counts."""
MAX_OUTPUT_TOKENS = 512
"""A reason of a few sentences and a verdict."""

Problem = Literal["unparsable", "unanswered"]
"""Why there is no verdict: the judge said nothing that can be read, or nothing at all."""


class JudgeQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge is sent."""

    messages: tuple[Message, ...]
    json_schema: Mapping[str, object] | None = None
    """Which the reply must fit, where the model can be held to one."""
    max_output_tokens: int = MAX_OUTPUT_TOKENS


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeModel:
    """A model of the pool, asked to judge."""

    name: str
    """``provider:model``."""
    version: str | None = None
    """Revision or digest where one is known: another one makes another judge."""
    has_json_schema: bool = False
    """Whether its replies can be held to a JSON Schema, as its card says."""
    ask: Callable[[JudgeQuestion], Awaitable[Answer]]
    """Sends a question; brings its own timeout, and meters what it spends."""


class Heard(NamedTuple, Generic[T]):
    """What came of asking."""

    found: Reply[T] | Problem
    why: str
    """The judge's reason, or what the problem is."""
    n_asked: int
    cost_nano_usd: int | None
    """Of all tries; ``None`` when one of them has no known price."""


async def hear(model: JudgeModel, system: str, text: str, form: Form[T]) -> Heard[T]:
    """Ask until the reply has the form, at most ``N_TRIES`` times.

    A judge that cannot be reached, or may not be asked this, is not asked again: its client has tried that.

    Args:
        model: Who judges.
        system: What it is told to be; the form of the reply is added.
        text: The question.
        form: What the reply must look like.

    Raises:
        ConfigurationError: the judge cannot be asked as it is configured.
        NotFound: nobody serves its model any more.
        StoreError: the database failed.
    """
    spent: list[int | None] = []
    problem = ""
    for n_asked in range(1, N_TRIES + 1):
        try:
            answer = await model.ask(_question(model, system, f"{text}{form.reminder}" if problem else text, form))
        except (ConfigurationError, NotFound, StoreError):
            raise  # it would come again for every answer
        except (TrimtabError, OSError) as exc:
            name = exc.code if isinstance(exc, TrimtabError) else type(exc).__name__
            return Heard("unanswered", f"the judge gave no answer: {name}", n_asked, _total(spent, known=False))
        spent.append(answer.cost_nano_usd)
        reply = form.read(answer.text)
        if isinstance(reply, Reply):
            return Heard(reply, reply.reason, n_asked, _total(spent))
        problem = reply
    return Heard("unparsable", f"the judge's reply cannot be read: {problem}", N_TRIES, _total(spent))


def _question(model: JudgeModel, system: str, text: str, form: Form[T]) -> JudgeQuestion:
    return JudgeQuestion(
        messages=(
            Message(role="system", content=f"{system}\n\n{form.instruction}"),
            Message(role="user", content=text),
        ),
        json_schema=form.json_schema if model.has_json_schema else None,
    )


def _total(spent: list[int | None], *, known: bool = True) -> int | None:
    """Add up; a call that failed may have been charged for, so what it cost is not known."""
    amounts = [cost for cost in spent if cost is not None]
    return sum(amounts) if known and len(amounts) == len(spent) else None
