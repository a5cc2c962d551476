"""A local engine as a provider: passed over while it is down, waited for while it starts."""

import asyncio
import time
from pathlib import Path

import msgspec
import pytest

from trimtab.core import Api
from trimtab.core.errors import UpstreamUnavailable
from trimtab.gateway import UpstreamRequest, UpstreamResponse
from trimtab.wiring.engine_board import EngineBoard, EngineEntry
from trimtab.wiring.engine_provider import EngineProvider

ENTRY = EngineEntry(base_url="http://127.0.0.1:1/v1", has_key=False, max_connections=4, body_fields={})


class Inner:
    """Counts what reaches the engine."""

    name = "local"
    is_recorded = False
    output_limit_field = "max_tokens"

    def __init__(self) -> None:
        self.n_sent = 0

    def is_available(self, model: str) -> bool:
        return model == "small"

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        self.n_sent += 1
        return None  # type: ignore[return-value]  # nobody looks at it here

    async def aclose(self) -> None:
        """Nothing is open."""


def request_for(seconds: float) -> UpstreamRequest:
    return UpstreamRequest(
        api=Api.CHAT_COMPLETIONS,
        model="small",
        body=b"{}",
        is_stream=False,
        deadline_s=time.monotonic() + seconds,
        headers={},
    )


@pytest.fixture
def board(tmp_path: Path) -> EngineBoard:
    return EngineBoard(tmp_path)


@pytest.mark.parametrize(
    ("phase", "reason", "said"),
    [
        ("down", "it was ended by SIGKILL.", "engine 'local' is down: it was ended by SIGKILL."),
        ("stopped", "", "engine 'local' is stopped."),
    ],
)
async def test_an_engine_that_is_not_there_is_not_asked_and_says_why(
    board: EngineBoard, phase: str, reason: str, said: str
) -> None:
    inner = Inner()
    provider = EngineProvider(inner, board)
    board.write({"local": msgspec.structs.replace(ENTRY, phase=phase, reason=reason)})
    assert not provider.is_available("small")
    with pytest.raises(UpstreamUnavailable) as raised:
        await provider.send(request_for(5))
    assert raised.value.message == said
    assert inner.n_sent == 0


async def test_a_call_waits_for_an_engine_that_starts(board: EngineBoard) -> None:
    inner = Inner()
    provider = EngineProvider(inner, board)
    board.write({"local": ENTRY})
    waiting = asyncio.create_task(provider.send(request_for(5)))
    await asyncio.sleep(0.1)
    assert (inner.n_sent, provider.is_available("small")) == (0, False)
    board.write({"local": msgspec.structs.replace(ENTRY, phase="ready")})
    await waiting
    assert (inner.n_sent, provider.is_available("small")) == (1, True)


async def test_a_busy_engine_is_worth_a_wait(board: EngineBoard) -> None:
    inner = Inner()
    provider = EngineProvider(inner, board)
    board.write({"local": msgspec.structs.replace(ENTRY, phase="ready")})
    assert not inner.is_available("busy")
    assert provider.is_available("busy")


async def test_it_waits_no_longer_than_the_call_may_take(board: EngineBoard) -> None:
    inner = Inner()
    provider = EngineProvider(inner, board)
    board.write({"local": ENTRY})
    with pytest.raises(UpstreamUnavailable, match="is starting"):
        await provider.send(request_for(0.1))
    assert inner.n_sent == 0
