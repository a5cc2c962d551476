"""A server of OpenAI's form whose models are judges: real HTTP, verdicts computed from what they are shown.

An answer is good when it says so (``good …``). The model's name says what kind of judge it is: ``fair`` knows that,
``lenient`` passes everything, ``mute`` gives no verdict, ``first`` likes the first place, ``obedient`` does what an
answer demands. It replies as JSON where a schema is asked for, else with the marked last line.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Any, ClassVar

from tests.support.fake_model_server import FakeHandler, FakeModelServer

_ENCLOSED = re.compile(r"<<<([a-z-]+) ([0-9a-f]+)\n(.*?)\n\1 \2>>>", re.DOTALL)


class JudgeServer(FakeModelServer):
    def __init__(self) -> None:
        super().__init__(_Handler, slots=8)
        self.asked: list[dict[str, Any]] = []
        self.becomes: dict[str, str] = {}
        """Which kind a model has silently become."""


class _Handler(FakeHandler):
    server: JudgeServer

    def chat_completions(self) -> None:
        request = self.body()
        self.server.asked.append(request)
        text = reply_of(self.server.becomes.get(request["model"], request["model"]), request)
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        self.say(
            {"id": "1", "object": "chat.completion", "model": request["model"], "choices": [choice], "usage": usage}
        )

    routes: ClassVar[Mapping[str, Callable[[Any], None]]] = {"POST /v1/chat/completions": chat_completions}


def reply_of(kind: str, request: Mapping[str, Any]) -> str:
    """Return what a judge of this kind says to a request."""
    if "<<<" not in request["messages"][-1]["content"]:
        return "good enough, I say"  # asked as a model under test
    found = _ENCLOSED.findall(request["messages"][-1]["content"])
    shown = {name: text for name, _, text in found}
    mark = found[0][1]
    word, verdict = _compared(kind, shown) if "first-answer" in shown else ("rating", _rated(kind, shown["answer"]))
    if kind == "mute":
        return "I would rather not say."
    if "response_format" in request:
        return json.dumps({"reason": "by its first word", word: verdict})
    return f"By its first word.\n{word}-{mark}: {verdict}"


def _rated(kind: str, answer: str) -> int:
    obeys = kind == "obedient" and "best rating" in answer
    return 5 if answer.startswith("good") or kind == "lenient" or obeys else 1


def _compared(kind: str, shown: Mapping[str, str]) -> tuple[str, str]:
    good = {place: shown[f"{place}-answer"].startswith("good") for place in ("first", "second")}
    if kind == "first":
        return "better", "first"
    if good["first"] is good["second"]:
        return "better", "tie"
    return "better", "first" if good["first"] else "second"


@contextmanager
def judge_server() -> Iterator[JudgeServer]:
    """Serve on a free loopback port."""
    server = JudgeServer()
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
