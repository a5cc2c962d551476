"""The hardened upstream against a real server: what is repeated, what rests, who waits, which key and headers go."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support.mock_upstream import MockUpstream, Seen
from tests.support.providers import provider_of, read, request_of

from trimtab.core import Api, SystemClock
from trimtab.core.errors import InvalidRequest, UpstreamError, UpstreamTimeout, UpstreamUnavailable
from trimtab.gateway.upstream import Provider, UpstreamResponse
from trimtab.providers import ProviderConfig

CHAT = Api.CHAT_COMPLETIONS
QUICK = {"max_retries": 2, "base_s": 0.001}


class FastClock(SystemClock):
    """The machine's clock, moved on by hand."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.ahead_s


def openai(mock: MockUpstream, **config: Any) -> Any:
    return provider_of("openai", base_url=f"{mock.url}/v1", **config)


async def send(provider: Provider, model: str, **options: Any) -> UpstreamResponse:
    """Send, read to the end and return the response."""
    response = await provider.send(request_of(CHAT, model, **options))
    await read(response)
    return response


# retries


@pytest.mark.parametrize("status", [429, 503, 529])
async def test_a_refusal_with_a_short_retry_after_is_repeated(mock_upstream: MockUpstream, status: int) -> None:
    async with openai(mock_upstream, retries=QUICK) as provider:
        response = await send(provider, f"m/status-{status}/retry_after-0")
        assert response.status == status
    assert len(mock_upstream.seen) == 3


@pytest.mark.parametrize(
    "model",
    [
        "m/status-429/retry_after-30",  # longer than it would wait
        "m/status-429",  # no word on when to come back
        "m/status-500",
        "m/status-400/retry_after-0",
        "m/status-502/retry_after-0",  # work may have been done
        "m/reset",
        "m/drop",
        "m/cut",
        "m/garbage",
        "m/hang",
    ],
)
async def test_nothing_is_repeated_that_may_have_been_worked_on_or_was_not_invited(
    mock_upstream: MockUpstream, model: str
) -> None:
    async with openai(mock_upstream, retries=QUICK, timeouts={"first_byte_s": 0.1}) as provider:
        with suppress(UpstreamError):
            await send(provider, model)
    assert len(mock_upstream.seen) == 1


async def test_a_timeout_is_repeated_only_where_the_administrator_says_so(mock_upstream: MockUpstream) -> None:
    retries = {**QUICK, "retry_on_timeout": True}
    async with openai(mock_upstream, retries=retries, timeouts={"first_byte_s": 0.05}) as provider:
        with pytest.raises(UpstreamTimeout, match="try 3"):
            await send(provider, "m/hang")
    assert len(mock_upstream.seen) == 3


async def test_a_connection_that_never_came_about_is_tried_again() -> None:
    async with provider_of("openai", base_url="http://127.0.0.1:1", retries=QUICK) as provider:
        with pytest.raises(UpstreamError, match=r"model 'm', try 3: no connection"):
            await send(provider, "m")


async def test_no_wait_goes_past_the_deadline(mock_upstream: MockUpstream) -> None:
    async with openai(mock_upstream, retries=QUICK) as provider:
        started_s = time.monotonic()
        response = await send(provider, "m/status-429/retry_after-1", deadline_in_s=0.5)
        assert (response.status, time.monotonic() - started_s < 0.5) == (429, True)
    assert len(mock_upstream.seen) == 1


@pytest.mark.parametrize("model", ["m/reset", "m/garbage", "m/hang", "m/cut", "m/cut-1"])
async def test_every_failure_names_provider_and_model(mock_upstream: MockUpstream, model: str) -> None:
    async with openai(mock_upstream, timeouts={"first_byte_s": 0.1}) as provider:
        with pytest.raises(UpstreamError, match=f"^provider 'p', model '{model}': "):
            await send(provider, model, is_stream=model == "m/cut-1")


# breaker and cool-down


async def test_failures_open_the_breaker_of_that_model_alone_until_a_probe_succeeds(
    mock_upstream: MockUpstream,
) -> None:
    clock = FastClock()
    breaker = {"consecutive_failures": 2, "open_s": 10}
    async with openai(mock_upstream, breaker=breaker, clock=clock) as provider:
        for _ in range(2):
            await send(provider, "m/status-500")
        with pytest.raises(UpstreamUnavailable, match="breaker is open"):
            await send(provider, "m/status-500")
        assert (provider.is_available("m/status-500"), provider.is_available("other")) == (False, True)
        clock.ahead_s = 10.1
        assert provider.is_available("m/status-500")
        await send(provider, "m/status-500")  # the probe fails
        assert not provider.is_available("m/status-500")
    assert len(mock_upstream.seen) == 3


@pytest.mark.parametrize("model", ["m/reset", "m/garbage", "m/hang", "m/cut", "m/cut-1"])
async def test_every_way_of_failing_counts_for_the_breaker(mock_upstream: MockUpstream, model: str) -> None:
    breaker = {"consecutive_failures": 1}
    async with openai(mock_upstream, breaker=breaker, timeouts={"first_byte_s": 0.1}) as provider:
        with pytest.raises(UpstreamError):
            await send(provider, model, is_stream=model == "m/cut-1")
        assert not provider.is_available(model)


async def test_the_callers_own_mistakes_and_early_leaving_do_not_count(mock_upstream: MockUpstream) -> None:
    async with openai(mock_upstream, breaker={"consecutive_failures": 1}) as provider:
        await send(provider, "m/status-400")
        leaving = asyncio.create_task(send(provider, "m/hang"))
        await asyncio.to_thread(mock_upstream.wait_for, 2)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        response = await provider.send(request_of(CHAT, "m/gate-never", is_stream=True))
        await response.aclose()
        assert all(provider.is_available(model) for model in ("m/status-400", "m/hang", "m/gate-never"))


async def test_a_model_rests_as_long_as_it_asked_for(mock_upstream: MockUpstream) -> None:
    clock, model = FastClock(), "m/status-429/retry_after-30"
    async with openai(mock_upstream, clock=clock) as provider:
        assert (await send(provider, model)).headers["retry-after"] == "30"
        with pytest.raises(UpstreamUnavailable, match=r"cooling down for another (30\.0|29\.9) s"):
            await send(provider, model)
        assert (provider.is_available(model), provider.is_available("other")) == (False, True)
        clock.ahead_s = 30.1
        assert provider.is_available(model)
    assert len(mock_upstream.seen) == 1


# concurrency


async def test_calls_beyond_the_models_slots_wait_for_one_or_their_deadline(mock_upstream: MockUpstream) -> None:
    async with openai(mock_upstream, max_concurrency_per_model=1) as provider:
        holding = await provider.send(request_of(CHAT, "m/gate-a", is_stream=True))
        assert not provider.is_available("m/gate-a")
        assert (await send(provider, "other")).status == 200
        with pytest.raises(UpstreamUnavailable, match="no slot was free"):
            await send(provider, "m/gate-a", deadline_in_s=0.05)
        waiting = asyncio.create_task(provider.send(request_of(CHAT, "m/gate-a", is_stream=True)))
        await asyncio.sleep(0.05)
        assert len(mock_upstream.seen) == 2
        await holding.aclose()
        assert (await waiting).status == 200
        await (await waiting).aclose()
        assert provider.is_available("m/gate-a")


@pytest.mark.parametrize("model", ["m", "m/reset", "m/cut", "m/garbage", "m/status-500", "m/hang"])
async def test_a_slot_comes_back_however_the_call_ends(mock_upstream: MockUpstream, model: str) -> None:
    limits = {"max_concurrency_per_model": 1, "timeouts": {"first_byte_s": 0.05}, "breaker": {"open_s": 0.01}}
    async with openai(mock_upstream, **limits) as provider:
        for _ in range(3):
            with suppress(UpstreamError):
                await send(provider, model, deadline_in_s=2)
        assert provider.is_available(model)


# keys


async def test_the_key_is_read_again_from_the_environment(
    mock_upstream: MockUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FastClock()
    async with openai(mock_upstream, api_key_env="UPSTREAM_KEY", clock=clock) as provider:
        monkeypatch.delenv("UPSTREAM_KEY", raising=False)
        assert not provider.is_available("m")
        with pytest.raises(UpstreamUnavailable, match="environment variable UPSTREAM_KEY is not set"):
            await send(provider, "m")
        for key in ("first", "second"):
            monkeypatch.setenv("UPSTREAM_KEY", f" {key}\n")
            clock.ahead_s += 1.1
            await send(provider, "m")
    assert [seen.headers["authorization"] for seen in mock_upstream.seen] == ["Bearer first", "Bearer second"]


async def test_the_key_is_read_again_from_its_file(mock_upstream: MockUpstream, tmp_path: Path) -> None:
    clock, file = FastClock(), tmp_path / "key"
    async with openai(mock_upstream, api_key_file=file, clock=clock) as provider:
        with pytest.raises(UpstreamUnavailable, match="cannot be read"):
            await send(provider, "m")
        for key in ("first", "second-one"):
            file.write_text(key)
            clock.ahead_s += 1.1
            await send(provider, "m")
    assert [seen.headers["authorization"] for seen in mock_upstream.seen] == ["Bearer first", "Bearer second-one"]


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "smörgås"])
async def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(
    mock_upstream: MockUpstream, tmp_path: Path, key: str
) -> None:
    (tmp_path / "key").write_text(key)
    async with openai(mock_upstream, api_key_file=tmp_path / "key") as provider:
        with pytest.raises(UpstreamUnavailable) as caught:
            await send(provider, "m")
    assert "has no key" in str(caught.value)
    assert not key or key not in str(caught.value)
    assert mock_upstream.seen == []


# what travels


async def test_attack_9_nothing_a_caller_sends_moves_the_call_or_replaces_a_credential(
    mock_upstream: MockUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", "ours")
    evil = {
        "host": "evil.example",
        "authorization": "Bearer theirs",
        "x-api-key": "theirs",
        "cookie": "a=b",
        "content-length": "3",
        "transfer-encoding": "chunked",
        "x-org": "theirs",
    }
    async with openai(mock_upstream, api_key_env="UPSTREAM_KEY", headers={"X-Org": "ours"}) as provider:
        await send(provider, "m", headers={**evil, "openai-beta": "kept"}, base_url="http://evil.example")
    headers = mock_upstream.seen[0].headers
    assert headers["host"] == mock_upstream.url.removeprefix("http://")
    assert (headers["authorization"], headers["x-org"], headers["openai-beta"]) == ("Bearer ours", "ours", "kept")
    assert not headers.keys() & {"cookie", "x-api-key", "transfer-encoding"}


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\x00b", "snow ☃"])
async def test_attack_32_a_header_that_could_split_the_request_is_refused(
    mock_upstream: MockUpstream, value: str
) -> None:
    async with openai(mock_upstream) as provider:
        with pytest.raises(InvalidRequest, match="'openai-beta' holds a line break"):
            await send(provider, "m", headers={"openai-beta": value})
        with pytest.raises(InvalidRequest):
            await send(provider, "m", headers={"x\r\nevil": "1"})
    assert mock_upstream.seen == []


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_a_body_in_the_upstreams_own_form_travels_byte_for_byte(mock_upstream: MockUpstream, kind: str) -> None:
    api = CHAT if kind == "openai" else Api.MESSAGES
    async with provider_of(kind, base_url=f"{mock_upstream.url}/v1") as provider:
        request = request_of(api, "m/echo", x_vendor={"a": [1.50, "☃"]}, seed=12345678901234567890)
        assert await read(await provider.send(request)) == request.body


@pytest.mark.parametrize("api", [CHAT, Api.MESSAGES])
async def test_a_models_own_fields_win_over_the_callers_and_leave_the_rest_alone(
    mock_upstream: MockUpstream, api: Api
) -> None:
    model = "m/echo" if api is CHAT else "m/chunks-1"  # an echo is no answer that can be translated
    written: dict[str, Any] = {"cache_prompt": True} if api is CHAT else {}  # the other form has no place for it
    fields = {model: {"cache_prompt": False, "lora": [{"id": 0, "scale": 1.0}]}}
    async with openai(mock_upstream, body_fields=fields) as provider:
        await read(await provider.send(request_of(api, model, temperature=0.25, **written)))
        await read(await provider.send(request_of(api, "other", temperature=0.25)))
    ours, others = (seen.json() for seen in mock_upstream.seen)
    assert (ours["cache_prompt"], ours["lora"], ours["temperature"]) == (False, [{"id": 0, "scale": 1.0}], 0.25)
    assert "lora" not in others


def test_fields_that_would_replace_the_call_itself_are_refused() -> None:
    with pytest.raises(ValueError, match="may not set 'messages'"):
        ProviderConfig(name="p", kind="openai", base_url="http://h", body_fields={"m": {"messages": []}})


async def _path_of(mock: MockUpstream, kind: str, base: str, api: Api, **config: Any) -> Seen:
    async with provider_of(kind, base_url=f"{mock.url}{base}", **config) as provider:
        await read(await provider.send(request_of(api, "m", headers={"anthropic-beta": "b", "openai-beta": "o"})))
    return mock.seen[-1]


@pytest.mark.parametrize(
    ("kind", "base", "api", "config", "path", "passed"),
    [
        ("openai", "/v1", CHAT, {}, "/v1/chat/completions", {"anthropic-beta", "openai-beta"}),
        ("openai", "/api/x/", CHAT, {}, "/api/x/chat/completions", {"anthropic-beta", "openai-beta"}),
        ("openai", "/v1", Api.EMBEDDINGS, {}, "/v1/embeddings", {"anthropic-beta", "openai-beta"}),
        ("openai", "/v1", Api.MESSAGES, {}, "/v1/chat/completions", {"openai-beta"}),
        ("openai", "/v1", Api.MESSAGES, {"apis": ["messages"]}, "/v1/messages", {"anthropic-beta", "openai-beta"}),
        ("anthropic", "", Api.MESSAGES, {}, "/v1/messages", {"anthropic-beta", "openai-beta"}),
        ("anthropic", "/v1", CHAT, {}, "/v1/messages", {"anthropic-beta"}),
    ],
)
async def test_each_form_has_its_path_and_headers_of_a_foreign_form_stay_behind(
    mock_upstream: MockUpstream, kind: str, base: str, api: Api, config: dict[str, Any], path: str, passed: set[str]
) -> None:
    seen = await _path_of(mock_upstream, kind, base, api, **config)
    assert seen.path == path
    assert seen.headers.keys() & {"anthropic-beta", "openai-beta"} == passed


async def test_anthropic_gets_its_key_and_version_in_its_own_headers(
    mock_upstream: MockUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", "ours")
    async with provider_of("anthropic", base_url=mock_upstream.url, api_key_env="UPSTREAM_KEY") as provider:
        for headers in ({}, {"anthropic-version": "2099-01-01"}):
            await read(await provider.send(request_of(Api.MESSAGES, "m", headers=headers)))
    seen = [one.headers for one in mock_upstream.seen]
    assert [one["anthropic-version"] for one in seen] == ["2023-06-01", "2099-01-01"]
    assert (seen[0]["x-api-key"], "authorization" in seen[0]) == ("ours", False)


@pytest.mark.parametrize(
    ("host", "name"), [("api.openai.com", "max_completion_tokens"), ("openai.com.example", "max_tokens")]
)
async def test_openais_own_hosts_get_the_limit_under_its_new_name(
    mock_upstream: MockUpstream, monkeypatch: pytest.MonkeyPatch, host: str, name: str
) -> None:
    loop = asyncio.get_running_loop()
    look_up: Callable[..., Any] = loop.getaddrinfo

    async def local(asked: str, port: int, **options: Any) -> Any:
        return await look_up("127.0.0.1", port, **options)

    monkeypatch.setattr(loop, "getaddrinfo", local)
    async with provider_of("openai", base_url=f"http://{host}:{mock_upstream.port}/v1") as provider:
        await read(await provider.send(request_of(Api.MESSAGES, "m")))
        assert provider.output_limit_field == name
    assert json.loads(mock_upstream.seen[0].body)[name] == 100


async def test_embeddings_cannot_be_put_into_messages(mock_upstream: MockUpstream) -> None:
    async with provider_of("anthropic", base_url=mock_upstream.url) as provider:
        with pytest.raises(InvalidRequest, match="cannot be put into messages"):
            await provider.send(request_of(Api.EMBEDDINGS, "m"))
    assert mock_upstream.seen == []


async def test_an_answer_larger_than_the_window_arrives_whole(mock_upstream: MockUpstream) -> None:
    size = 3_000_000
    async with openai(mock_upstream) as provider:
        body = await read(await provider.send(request_of(CHAT, f"m/huge-{size}")))
    assert json.loads(body)["choices"][0]["message"]["content"] == "x" * size


async def test_a_translated_answer_without_end_is_cut_off(
    mock_upstream: MockUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab.providers.translate.MAX_ANSWER_BYTES", 10_000)
    async with openai(mock_upstream) as provider:
        response = await provider.send(request_of(Api.MESSAGES, "m/huge-20000"))
        with pytest.raises(UpstreamError, match="more than 10000 bytes"):
            await read(response)
        await response.aclose()


async def test_a_translated_event_without_end_is_cut_off(
    mock_upstream: MockUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab.providers.translate_events._MAX_EVENT_BYTES", 10_000)
    async with openai(mock_upstream) as provider:
        response = await provider.send(request_of(Api.MESSAGES, "m/huge-20000", is_stream=True))
        with pytest.raises(UpstreamError, match="an event of more than 10000 bytes"):
            await read(response)
        await response.aclose()
