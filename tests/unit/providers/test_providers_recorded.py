"""Answers from a file of recorded outcomes: found by id or text, exact in score and cost, and never invented."""

import base64
import json
import struct
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.providers import ask, provider_of, read, request_of, write_outcomes
from tests.support.simulated import write_simulated

from trimtab.core import Api, JournalEntry, Usage, to_nano_usd
from trimtab.core.errors import ConfigurationError, InvalidRequest
from trimtab.core.usage_reader import StreamUsage, usage_from_response
from trimtab.gateway.calls import Recorded
from trimtab.ingest import Source, read_calls
from trimtab.providers.recorded_answer import PLACEHOLDER
from trimtab.providers.recorded_outcomes import RecordedOutcomes

ROW: dict[str, Any] = {"prompt_id": "q1", "model": "m", "score": 1.0}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outcomes.jsonl"


def _parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


async def test_a_prompt_is_found_by_its_id_in_the_imports_form_and_by_its_text(tmp_path: Path) -> None:
    rows = [{**ROW, "dataset": "law", "prompt": "May I?", "answer": "A"}, {**ROW, "dataset": "math", "answer": "B"}]
    async with provider_of("recorded", path=_parquet(tmp_path / "o.parquet", rows)) as provider:
        by_id = await ask(provider, "m", prompt_id="math:q1", text="anything")
        by_text = await ask(provider, "m", text="May I?")
        bare = await ask(provider, "m", prompt_id="q1", text="May I?")
    assert by_id["choices"][0]["message"]["content"] == "B"
    assert by_text["choices"][0]["message"]["content"] == "A"
    assert "no recorded outcome for prompt 'q1'" in bare["error"]["message"], "an unknown id is not guessed around"


async def test_an_unknown_prompt_or_model_is_404_naming_which_and_never_the_prompt(path: Path) -> None:
    write_outcomes(path, [{**ROW, "prompt": "known"}])
    async with provider_of("recorded", path=path) as provider:
        unknown = await provider.send(request_of(Api.CHAT_COMPLETIONS, "m", text="secret question"))
        other = await provider.send(request_of(Api.CHAT_COMPLETIONS, "other", text="known"))
        said = [json.loads(await read(response))["error"]["message"] for response in (unknown, other)]
    assert (unknown.status, other.status) == (404, 404)
    assert "no recorded outcome for the newest user message (15 characters)" in said[0]
    assert "answered by m, and not by 'other'" in said[1]
    assert "secret" not in said[0]


@pytest.mark.parametrize("score", [0.0, 1.0, 0.1, 1 / 3, 0.8999999761581421])
@pytest.mark.parametrize("cost", ["0", "0.000000001", "0.0000341600000005", "123456.789"])
async def test_score_and_cost_arrive_exactly_as_an_import_reads_them(path: Path, score: float, cost: str) -> None:
    write_outcomes(path, [{**ROW, "score": score, "cost_usd": cost}])
    async with provider_of("recorded", path=path) as provider:
        response = await provider.send(request_of(Api.CHAT_COMPLETIONS, "m", prompt_id="q1"))
    recorded = Recorded.from_headers(response.headers)
    assert recorded == Recorded(score, to_nano_usd(Decimal(cost)))


@pytest.mark.parametrize("api", [Api.CHAT_COMPLETIONS, Api.MESSAGES])
async def test_what_was_not_recorded_is_left_out_and_the_text_is_a_marked_placeholder(path: Path, api: Api) -> None:
    write_outcomes(path, [{"prompt_id": "q1", "model": "m"}])
    async with provider_of("recorded", path=path) as provider:
        response = await provider.send(request_of(api, "m", prompt_id="q1"))
        body = await read(response)
    assert Recorded.from_headers(response.headers) == Recorded(None, None)
    assert usage_from_response(api, body).usage == Usage()
    assert PLACEHOLDER in body.decode()


async def test_a_count_that_was_recorded_alone_is_kept_and_the_other_stays_unknown(path: Path) -> None:
    write_outcomes(path, [{**ROW, "input_tokens": 242}])
    async with provider_of("recorded", path=path) as provider:
        body = await read(await provider.send(request_of(Api.CHAT_COMPLETIONS, "m", prompt_id="q1")))
    assert usage_from_response(Api.CHAT_COMPLETIONS, body).usage == Usage(input_tokens=242)


async def test_a_stream_comes_in_several_chunks_and_its_usage_only_when_asked_for(path: Path) -> None:
    write_outcomes(path, [{**ROW, "response_text": "one two three four", "input_tokens": 3, "output_tokens": 4}])
    async with provider_of("recorded", path=path) as provider:
        for wants in (True, False):
            options = {"stream_options": {"include_usage": wants}}
            response = await provider.send(
                request_of(Api.CHAT_COMPLETIONS, "m", is_stream=True, prompt_id="q1", **options)  # type: ignore[arg-type]
            )
            chunks = [chunk async for chunk in response.chunks()]
            reader = StreamUsage(Api.CHAT_COMPLETIONS)
            for chunk in chunks:
                reader.feed(chunk)
            assert len(chunks) > 5
            assert reader.usage == (Usage(input_tokens=3, output_tokens=4) if wants else Usage())


async def test_the_recorded_text_is_given_verbatim_even_where_it_reads_like_nothing(path: Path) -> None:
    texts = ["None", "null", " é☃𝄞\n\n", "data: x\n\n", "x" * 100_000]
    write_outcomes(path, [{**ROW, "prompt_id": str(n), "response_text": text} for n, text in enumerate(texts)])
    async with provider_of("recorded", path=path) as provider:
        for number, text in enumerate(texts):
            answer = await ask(provider, "m", prompt_id=str(number))
            assert answer["choices"][0]["message"]["content"] == text


async def test_every_request_of_the_demo_is_answered_with_the_outcome_in_the_file(tmp_path: Path) -> None:
    demo = write_simulated(tmp_path, n_prompts=30, seed=3)
    outcomes = {
        (row["prompt_id"], row["model"]): row for row in map(json.loads, demo.outcomes.read_text().splitlines())
    }
    async with provider_of("recorded", path=demo.outcomes) as provider:
        for line in demo.traffic.read_text().splitlines():
            sent = json.loads(line)
            answer = await ask(provider, "local-small", messages=sent["messages"])
            wanted = outcomes[sent["prompt_id"], "local-small"]
            assert answer["choices"][0]["message"]["content"] == wanted["response_text"]
            assert answer["usage"]["prompt_tokens"] == wanted["input_tokens"]


async def test_several_inputs_get_their_embeddings_in_order_and_their_costs_added(path: Path) -> None:
    rows = [
        {**ROW, "prompt_id": t, "prompt": t, "embedding": [n, 0.5], "input_tokens": 2, "cost_usd": "0.1"}
        for n, t in enumerate("ab")
    ]
    write_outcomes(path, rows)
    async with provider_of("recorded", path=path) as provider:
        response = await provider.send(request_of(Api.EMBEDDINGS, "m", input=["b", "a"], encoding_format="base64"))
        answer = json.loads(await read(response))
        missing = await provider.send(request_of(Api.EMBEDDINGS, "m", input=["b", "never seen"]))
    vectors = [struct.unpack("<2f", base64.b64decode(row["embedding"])) for row in answer["data"]]
    assert vectors == [(1.0, 0.5), (0.0, 0.5)]
    assert answer["usage"]["prompt_tokens"] == 4
    assert Recorded.from_headers(response.headers) == Recorded(None, 200_000_000)
    assert missing.status == 404


async def test_an_embedding_is_never_made_up(path: Path) -> None:
    write_outcomes(path, [{**ROW, "prompt": "text"}])
    async with provider_of("recorded", path=path) as provider:
        response = await provider.send(request_of(Api.EMBEDDINGS, "m", text="text"))
        assert response.status == 404
        assert b"no recorded embedding" in await read(response)


async def test_stream_options_of_a_wrong_type_are_the_callers_mistake(path: Path) -> None:
    write_outcomes(path, [ROW])
    async with provider_of("recorded", path=path) as provider:
        with pytest.raises(InvalidRequest, match="stream_options"):
            await provider.send(request_of(Api.CHAT_COMPLETIONS, "m", is_stream=True, prompt_id="q1", stream_options=7))


def test_the_first_row_of_a_prompt_and_model_counts_as_in_an_import(path: Path) -> None:
    write_outcomes(path, [{**ROW, "cost_usd": "1"}, {**ROW, "cost_usd": "2"}])
    outcomes = RecordedOutcomes.load(path)
    found = outcomes.find("q1", "m")
    assert found is not None
    assert (len(outcomes), found.cost_nano_usd) == (1, 1_000_000_000)


def test_each_row_is_what_an_import_of_the_same_file_records(tmp_path: Path) -> None:
    rows = [
        {"prompt_id": "1", "dataset": "d", "model": "org/m", "score": 0.3, "cost_usd": 1e-7, "input_tokens": 9},
        {"prompt_id": "2", "dataset": "d", "model": "m", "score": 1.0, "output_tokens": 4},
    ]
    path = _parquet(tmp_path / "o.parquet", rows)
    outcomes = RecordedOutcomes.load(path)
    entries = [row for row in read_calls(Source(path=path)) if isinstance(row, JournalEntry)]
    for entry in entries:
        call = entry.call
        found = outcomes.find(call.prompt_id or "", (call.model or "").removeprefix("recorded:"))
        assert found is not None
        assert (found.score, found.cost_nano_usd) == (call.quality_fraction, call.cost_nano_usd)
        assert Usage(input_tokens=found.input_tokens, output_tokens=found.output_tokens) == call.usage
    assert len(entries) == 2


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ("{broken", r"not JSON"),
        ("[1]", r"not an object"),
        ('{"model": "m", "score": 1}', r"prompt_id is missing"),
        ('{"prompt_id": "1", "score": 1}', r"model is missing"),
        ('{"prompt_id": "1", "model": "m", "score": 7}', r"score is '7', not between 0 and 1"),
        ('{"prompt_id": "1", "model": "m", "cost_usd": -1}', r"cost_usd is '-1'"),
        ('{"prompt_id": "1", "model": "m", "input_tokens": 1.5}', r"input_tokens is '1.5'"),
        ('{"prompt_id": "1", "model": "m", "response_text": {}}', r"response_text is a dict, not text"),
        ('{"prompt_id": "1", "model": "m", "embedding": ["x"]}', r"embedding is not a list of numbers"),
    ],
)
def test_a_bad_row_is_refused_with_file_and_line(path: Path, second: str, reason: str) -> None:
    path.write_text(json.dumps(ROW) + "\n" + second + "\n")
    with pytest.raises(ConfigurationError, match=rf"outcomes\.jsonl:2: .*{reason}"):
        RecordedOutcomes.load(path)


@pytest.mark.parametrize("content", [b"", b"PAR1 cut", b"\xff\xfe{", b"a,b\n"])
def test_a_file_that_holds_no_outcomes_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"outcomes\.jsonl"):
        RecordedOutcomes.load(path)


async def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="There is no file"):
        async with provider_of("recorded", path=tmp_path / "nowhere.jsonl"):
            pass
