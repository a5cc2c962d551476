"""How the demo waits for its engines and asks one: the board of the running gateway, and a stand-in that answers."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.support.fake_model_server import FakeHandler, FakeModelServer

from trimtab.cli.demo_engines import MAX_RESTARTS, Engines
from trimtab.core.errors import EngineError
from trimtab.evaluation import Case, user_prompt
from trimtab.wiring import Settings, board_of, load_settings
from trimtab.wiring.engine_board import EngineEntry

CASE = Case(case_id="1", messages=user_prompt("Sort this"), expected="", stratum="routine")


class _Handler(FakeHandler):
    routes: ClassVar[Any] = {"POST /v1/chat/completions": lambda handler: handler.chat(handler.body(), "small")}


@pytest.fixture
def server() -> Iterator[FakeModelServer]:
    with FakeModelServer(_Handler, api_key="secret") as started:
        threading.Thread(target=started.serve_forever, daemon=True).start()
        yield started
        started.shutdown()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    config = tmp_path / "trimtab.yaml"
    config.write_text("data_dir: data\nengines:\n  - {name: small, kind: llama_cpp, path: small.gguf}\n")
    return load_settings(config, environment={})


def show(settings: Settings, base_url: str, *, phase: str, n_restarts: int = 0, reason: str = "") -> None:
    board = board_of(settings)
    board.write_key("small", "secret")
    board.write(
        {
            "small": EngineEntry(
                base_url=base_url,
                has_key=True,
                max_connections=4,
                body_fields={"small": {"cache_prompt": True}},
                phase=phase,
                reason=reason,
                n_restarts=n_restarts,
            )
        }
    )


async def test_a_case_goes_to_the_engine_itself_with_its_key(settings: Settings, server: FakeModelServer) -> None:
    show(settings, server.base_url, phase="ready")
    engines = Engines(settings=settings, is_running=lambda: True)

    answer = await engines.asking("small", {"max_tokens": 64})(CASE)

    assert (answer.text, answer.input_tokens, answer.output_tokens) == ("small heard Sort this", 2, 4)


async def test_an_engine_that_comes_back_is_asked_again(settings: Settings, server: FakeModelServer) -> None:
    show(settings, "http://127.0.0.1:9/v1", phase="down", reason="it was killed.")
    engines = Engines(settings=settings, is_running=lambda: True)
    coming_back = threading.Timer(0.3, show, args=(settings, server.base_url), kwargs={"phase": "ready"})
    coming_back.start()

    answer = await engines.asking("small", {})(CASE)

    coming_back.join()
    assert answer.text == "small heard Sort this"


def test_an_engine_that_is_down_again_and_again_is_named_with_its_reason_and_log(settings: Settings) -> None:
    show(settings, "http://127.0.0.1:9/v1", phase="down", n_restarts=MAX_RESTARTS, reason="its file is no model.")
    engines = Engines(settings=settings, is_running=lambda: True)

    with pytest.raises(EngineError, match=r"'small' is down: its file is no model\.") as raised:
        engines.wait_ready(lambda text: None)
    assert "engine-small.log" in (raised.value.hint or "")


def test_a_gateway_that_ended_has_no_engine_to_wait_for(settings: Settings) -> None:
    engines = Engines(settings=settings, is_running=lambda: False)

    with pytest.raises(EngineError, match="'small' is not running"):
        engines.wait_ready(lambda text: None)
