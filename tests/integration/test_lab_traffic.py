"""The demo's applications against a server that fails now and then."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from tests.support.fake_model_server import FakeHandler, FakeModelServer

from trimtab.core.errors import UpstreamError
from trimtab.lab import Judgement, Request, send_all, send_feedback

REQUEST = Request(
    prompt_id="p",
    workload="w",
    app="a",
    sensitivity="internal",
    messages=[{"role": "user", "content": "Sort this"}],
    options={"temperature": 0, "max_tokens": 64},
)


class _Server(FakeModelServer):
    def __init__(self, *failures: Any) -> None:
        super().__init__(_Handler)
        self.failures = list(failures)
        self.bodies: list[dict[str, Any]] = []


class _Handler(FakeHandler):
    def _chat(self) -> None:
        server: Any = self.server
        server.bodies.append(body := self.body())
        if not server.failures:
            self.chat(body, "m")
        elif (failure := server.failures.pop(0)) == "cut":
            self.say_lines(iter([b'data: {"choices": [{"delta": {"content": "So"}}]}\n\n']), "text/event-stream")
        else:
            self.say({"error": {"message": "no"}}, failure)

    def _feedback(self) -> None:
        server: Any = self.server
        server.bodies.append(self.body())
        self.say({"status": "accepted"}, 202)

    routes: ClassVar[Any] = {"POST /v1/chat/completions": _chat, "POST /v1/feedback": _feedback}


@contextmanager
def serving(*failures: Any) -> Iterator[_Server]:
    with _Server(*failures) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def url(server: _Server) -> str:
    return server.base_url.removesuffix("/v1")


@pytest.mark.parametrize("failure", ["cut", 502, 503])
def test_what_was_cut_or_failed_over_there_is_asked_again(failure: Any) -> None:
    with serving(failure) as server:
        (answer,) = send_all(url(server), [REQUEST])

    assert answer.text == "m heard Sort this"
    assert len(server.bodies) == 2


def test_a_refusal_is_not_asked_again() -> None:
    with serving(403) as server, pytest.raises(UpstreamError, match="p was answered 403"):
        send_all(url(server), [REQUEST])

    assert len(server.bodies) == 1


def test_every_fourth_call_is_streamed_and_asks_for_its_tokens_and_two_of_three_name_their_workload() -> None:
    with serving() as server:
        answers = send_all(url(server), [REQUEST] * 12)

    assert [answer.is_stream for answer in answers] == [True, False, False, False] * 3
    assert all((answer.input_tokens, answer.output_tokens) == (2, 4) for answer in answers)
    assert sum(body["model"] == "workload/w" for body in server.bodies) == 4
    assert all(body["stream_options"] == {"include_usage": True} for body in server.bodies if body.get("stream"))
    assert {(body["temperature"], body["max_tokens"]) for body in server.bodies} == {(0, 64)}


def test_grades_are_posted_as_feedback_with_their_source() -> None:
    with serving() as server:
        send_feedback(url(server), [Judgement(call_id="c", app="a", score=1.0)], source="checker")

    assert server.bodies == [{"call_id": "c", "score": 1.0, "source": "checker"}]
