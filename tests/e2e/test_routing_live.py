"""Routing at run time, on a running gateway over the simulated pool."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from tests.support.service import Service, running, wait_until
from tests.support.simulated import SimulatedFiles, write_simulated

from trimtab.lab import Answer, Request, read_traffic, send_all

ANY_PORTS = {"TRIMTAB_PORT": "0", "TRIMTAB_CONTROL_PORT": "0"}
SMALL, MEDIUM, LARGE = "simulated:local-small", "simulated:local-medium", "simulated:hosted-large"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> SimulatedFiles:
    return write_simulated(tmp_path_factory.mktemp("live"), n_prompts=1000, seed=3)


@pytest.fixture(scope="module")
def service(files: SimulatedFiles) -> Iterator[Service]:
    with running(files.config.parent, env=ANY_PORTS) as started:
        yield started


def put_in_force(service: Service, files: SimulatedFiles, name: str, terms: str) -> None:
    """Edit the watched policy file and wait until the worker says that it serves by it."""
    organisation = f'organisation: {{sensitivity: internal, mode: fixed, prefer: ["{SMALL}"]}}'
    files.policy.write_text(f"policy: {name}\n{organisation}\n{terms}\n")
    wait_until(lambda: f"policy in force: {name} " in service.log.read_text(), timeout_s=5)


def ask(client: openai.OpenAI, request: Request) -> str:
    messages: Any = request.messages
    headers = {"x-trimtab-prompt-id": request.prompt_id}
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=messages, extra_headers=headers)
    return raw.headers["x-trimtab-model"]


def test_s4_one_client_and_endpoint_reach_two_models_by_task_type(service: Service, files: SimulatedFiles) -> None:
    put_in_force(
        service,
        files,
        "by-task",
        f'rules:\n  - {{id: code-is-hard, when: {{task_type: code}}, then: {{prefer: ["{LARGE}"]}}}}',
    )
    code, chat = (next(r for r in read_traffic(files.traffic) if r.workload == w) for w in ("code-review", "shop-faq"))
    process = service.process.pid

    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0) as client:
        chosen = [ask(client, code), ask(client, chat), ask(client, code)]

    assert chosen == [LARGE, SMALL, LARGE]
    assert (service.process.pid, service.process.poll()) == (process, None), "nothing was started again"


def test_s5_one_edit_moves_a_whole_category_and_no_other(service: Service, files: SimulatedFiles) -> None:
    requests = read_traffic(files.traffic)
    put_in_force(service, files, "before-the-edit", f'workloads: {{shop-faq: {{prefer: ["{LARGE}"]}}}}')
    before = send_all(service.url, requests)
    put_in_force(service, files, "after-the-edit", f'workloads: {{shop-faq: {{prefer: ["{MEDIUM}"]}}}}')
    after = send_all(service.url, requests)

    assert len(after) == 1000
    assert _models(before, "shop-faq") == {LARGE: 300}
    assert _models(after, "shop-faq") == {MEDIUM: 300}
    for other in ("support-triage", "code-review", "contract-reasoning"):
        assert _models(after, other) == _models(before, other) != {}


def _models(answers: list[Answer], workload: str) -> Counter[str]:
    return Counter(answer.model for answer in answers if answer.workload == workload)


def test_s7_routing_changes_no_model_and_no_serving_configuration(service: Service, files: SimulatedFiles) -> None:
    request = next(r for r in read_traffic(files.traffic) if r.workload == "code-review")
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0) as client:
        put_in_force(service, files, "no-routing", "")
        one_for_all, before = ask(client, request), _digests(service, files)
        put_in_force(service, files, "routing", f'workloads: {{code-review: {{prefer: ["{LARGE}"]}}}}')
        routed, after = ask(client, request), _digests(service, files)

    assert (one_for_all, routed) == (SMALL, LARGE), "routing really was switched on"
    assert before == after


def _digests(service: Service, files: SimulatedFiles) -> dict[str, str]:
    """Digests of what answers, of how it is served, and of the pool as the newest decision saw it."""
    newest = json.loads(service.cli("calls", "list", "--limit", "1", "--json").stdout)[0]["call_id"]
    decided = json.loads(service.cli("explain", newest, "--json").stdout)["current"]
    models = service.cli("models", "list", "--json").stdout
    return {
        "artefacts": _sha256(files.outcomes),
        "configuration": _sha256(files.config),
        "models": hashlib.sha256(models.encode()).hexdigest(),
        "pool": decided["pool_digest"],
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
