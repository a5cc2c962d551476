"""Recorded outcomes through a running gateway: the unmodified SDKs read them, and the records equal the file."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from tests.support.service import Service, running, wait_until
from tests.support.simulated import write_simulated

from trimtab.core import to_nano_usd

FREE_PORTS = {"TRIMTAB_PORT": "0", "TRIMTAB_CONTROL_PORT": "0"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("recorded")
    write_simulated(made, n_prompts=12, seed=5)
    return made


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    with running(folder, env=FREE_PORTS) as started:
        yield started


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    rows = map(json.loads, (folder / "outcomes.jsonl").read_text().splitlines())
    return {(row["prompt_id"], f"simulated:{row['model']}"): row for row in rows}


def _traffic(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "traffic.jsonl").read_text().splitlines()]


def _headers(sent: dict[str, Any]) -> dict[str, str]:
    hints = {"prompt-id": "prompt_id", "workload": "workload", "app": "app", "sensitivity": "sensitivity"}
    return {f"x-trimtab-{name}": sent[field] for name, field in hints.items()}


def _check(service: Service, headers: Any, outcome: dict[str, Any]) -> None:
    call_id = headers["x-trimtab-call-id"]
    wait_until(lambda: service.ask("GET", f"/api/calls/{call_id}", control=True).status == 200)
    call = service.ask("GET", f"/api/calls/{call_id}", control=True).json()["call"]
    assert call["cost_nano_usd"] == to_nano_usd(Decimal(outcome["cost_usd"]))
    assert (call["quality_fraction"], call["cost_source"], call["is_recorded"]) == (outcome["score"], "recorded", True)
    for count in ("input_tokens", "output_tokens"):
        assert call["usage"][count] == outcome[count]


@pytest.mark.parametrize("is_stream", [False, True])
def test_the_openai_sdk_reads_the_recorded_answer_and_the_record_equals_the_file(
    service: Service, folder: Path, outcomes: dict[tuple[str, str], dict[str, Any]], is_stream: bool
) -> None:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0) as client:
        for sent in _traffic(folder):
            create: Any = client.chat.completions.with_raw_response.create
            raw = create(model="auto", messages=sent["messages"], extra_headers=_headers(sent), stream=is_stream)
            answer, headers = raw.parse(), raw.headers
            pieces = [c.choices[0].delta.content or "" for c in answer] if is_stream else []
            text = "".join(pieces) if is_stream else answer.choices[0].message.content
            outcome = outcomes[sent["prompt_id"], headers["x-trimtab-model"]]
            assert (text, headers["x-trimtab-recorded"]) == (outcome["response_text"], "1")
            _check(service, headers, outcome)


def test_the_anthropic_sdk_reads_it_too(
    service: Service, folder: Path, outcomes: dict[tuple[str, str], dict[str, Any]]
) -> None:
    with anthropic.Anthropic(base_url=service.url, api_key="none", max_retries=0) as client:
        for sent in _traffic(folder)[:4]:
            system, user = (message["content"] for message in sent["messages"])
            messages: Any = [{"role": "user", "content": user}]
            with client.messages.stream(
                model="auto", max_tokens=99, system=system, messages=messages, extra_headers=_headers(sent)
            ) as stream:
                text, headers = "".join(stream.text_stream), stream.response.headers
            outcome = outcomes[sent["prompt_id"], headers["x-trimtab-model"]]
            assert text == outcome["response_text"]
            _check(service, headers, outcome)


def test_a_prompt_that_was_not_recorded_is_404_to_the_sdk(service: Service) -> None:
    headers = {"x-trimtab-sensitivity": "public"}
    messages: Any = [{"role": "user", "content": "never asked"}]
    with (
        openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0) as client,
        pytest.raises(openai.NotFoundError, match="no recorded outcome"),
    ):
        client.chat.completions.create(model="auto", messages=messages, extra_headers=headers)
