"""Ollama's own protocol: what it has, what it fetches, how long it keeps it."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from tests.support.fake_ollama import SIZE_BYTES, FakeOllama

from trimtab.core.errors import EngineError
from trimtab.serving import EngineConfig, EngineFacts, build_engine


def configure(fake: FakeOllama, **settings: Any) -> EngineConfig:
    return EngineConfig.model_validate(
        {"name": "home", "kind": "ollama", "base_url": fake.base_url, "model": "qwen3:0.6b"} | settings
    )


async def facts_of(fake: FakeOllama, **settings: Any) -> EngineFacts:
    return await build_engine(configure(fake, **settings), logs=Path("unused")).wait_ready(10)


async def test_its_native_metadata_become_facts() -> None:
    with FakeOllama("qwen3:0.6b") as fake:
        assert await facts_of(fake) == EngineFacts(
            models=("qwen3:0.6b",),
            capabilities=frozenset({"chat", "streaming", "json_object", "json_schema", "tools"}),
            context_tokens=4096,
            n_parameters=751_632_384,
            size_bytes=SIZE_BYTES,
            precision="q4_k_m",
            version="ollama 0.12.6",
        )


async def test_a_name_without_a_tag_is_the_latest() -> None:
    with FakeOllama("qwen3:latest") as fake:
        assert (await facts_of(fake, model="qwen3")).models == ("qwen3",)


async def test_what_an_old_version_does_not_say_is_unknown() -> None:
    with FakeOllama("qwen3:0.6b", shows={"capabilities": None, "details": None, "model_info": None}) as fake:
        facts = await facts_of(fake)
    assert facts.capabilities == {"chat", "streaming"}
    assert (facts.n_parameters, facts.precision) == (None, None)


async def test_an_embedding_model_is_not_loaded_by_a_prompt() -> None:
    with FakeOllama("qwen3:0.6b", shows={"capabilities": ["embedding"], "parameters": "num_ctx      2048"}) as fake:
        facts = await facts_of(fake)
        assert fake.generated == []
    assert facts.capabilities == {"embeddings"}
    assert facts.context_tokens == 2048


@pytest.mark.parametrize(
    ("written", "sent"), [(None, None), ("10m", "10m"), ("-1", -1), ("300", 300), ("1h30m", "1h30m")]
)
async def test_the_model_is_loaded_and_kept_as_configured(written: str | None, sent: object) -> None:
    with FakeOllama("qwen3:0.6b") as fake:
        await facts_of(fake, keep_alive=written)
        (loaded,) = fake.generated
    assert loaded["prompt"] == ""
    assert loaded.get("keep_alive") == sent


async def test_stopping_leaves_the_model_loaded_for_others() -> None:
    with FakeOllama("qwen3:0.6b") as fake:
        engine = build_engine(configure(fake), logs=Path("unused"))
        await engine.wait_ready(10)
        assert (await engine.load()).memory_bytes == SIZE_BYTES
        await engine.stop()
        assert list(fake.held) == ["qwen3:0.6b"]
        assert len(fake.generated) == 1


async def test_nothing_is_downloaded_unless_allowed() -> None:
    with FakeOllama(library=("qwen3:0.6b",)) as fake:
        with pytest.raises(EngineError, match=r"engine 'home': Ollama at .* does not have 'qwen3:0.6b'") as refused:
            await facts_of(fake)
        assert "`ollama pull qwen3:0.6b`" in str(refused.value.hint)
        assert fake.local == []


async def test_a_missing_model_is_pulled_where_allowed(caplog: pytest.LogCaptureFixture) -> None:
    with FakeOllama(library=("qwen3:0.6b",)) as fake, caplog.at_level(logging.INFO, "trimtab.serving"):
        assert (await facts_of(fake, pull=True)).models == ("qwen3:0.6b",)
        assert fake.local == ["qwen3:0.6b"]
    assert [record.message for record in caplog.records if "%" in record.message][-1].endswith("99 %")


async def test_a_model_that_nobody_publishes() -> None:
    with FakeOllama() as fake, pytest.raises(EngineError, match="could not be pulled: pull model manifest") as refused:
        await facts_of(fake, pull=True)
    assert refused.value.hint


async def test_a_pull_that_breaks_off_is_no_success() -> None:
    with FakeOllama(library=("qwen3:0.6b",)) as fake:
        fake.n_pull_lines = 3
        with pytest.raises(EngineError, match="could not be pulled: Ollama stopped at 'pulling 7f4030143c1c'"):
            await facts_of(fake, pull=True)


async def test_a_pull_that_takes_too_long_says_how_far_it_is() -> None:
    with FakeOllama(library=("qwen3:0.6b",)) as fake:
        fake.pull_gap_s = 0.2
        engine = build_engine(configure(fake, pull=True), logs=Path("unused"))
        with pytest.raises(EngineError, match=r"not ready after 0.5 s: Ollama pulls qwen3:0.6b: pulling .* \d+ %"):
            await engine.wait_ready(0.5)


async def test_it_is_waited_for_while_it_starts() -> None:
    early = FakeOllama("qwen3:0.6b")
    early.server_close()
    waiting = asyncio.create_task(facts_of(early))
    await asyncio.sleep(0.2)
    with FakeOllama("qwen3:0.6b", port=early.server_port):
        assert (await waiting).models == ("qwen3:0.6b",)
