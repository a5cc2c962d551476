"""Writes a folder with a simulated pool: outcomes, traffic, configuration, policies and the truth behind."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from tests.support.simulated.config import CANDIDATES, NOTE, TODAY, config_text, policy_text
from tests.support.simulated.models import MODELS, WORKLOADS, SimulatedModel, Workload, pass_probability
from tests.support.simulated.prompts import Prompt

_ENCODER = msgspec.json.Encoder(decimal_format="string")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedFiles:
    """What :func:`write_simulated` wrote."""

    outcomes: Path
    """JSONL, one line a prompt and model: the answer with tokens, cost, score and latency. Read by a ``recorded``
    provider, and importable with ``trimtab calls import``."""
    traffic: Path
    """JSONL, one line a request in the order to send: ``prompt_id``, ``workload``, ``app``, ``sensitivity``,
    ``messages``."""
    config: Path
    """``trimtab.yaml``: the pool, priced as in the outcomes, and how the workloads are recognised."""
    policy: Path
    """``policy.yaml``, the file that the gateway watches; at first a copy of the one of today."""
    policies: Path
    """Folder of the policies, ``NAME.yaml`` each."""
    truth: Path
    """JSON: the expected share of good answers of each model on each workload, over exactly these prompts."""
    n_prompts: int

    def policy_named(self, name: str) -> Path:
        """Return the file of one of the policies."""
        return self.policies / f"{name}.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    prompt_id: str
    workload: Workload
    prompt: Prompt
    difficulty: float


def write_simulated(folder: Path, *, n_prompts: int, seed: int) -> SimulatedFiles:
    """Write the files; the same seed gives the same bytes.

    Args:
        folder: Made when missing; files of the same names are replaced.
        n_prompts: Prompts over all workloads, at least one of each (4).
        seed: Of every draw.

    Raises:
        ValueError: ``n_prompts`` is less than the number of workloads.
        OSError: the folder cannot be written.
    """
    if n_prompts < len(WORKLOADS):
        raise ValueError(f"{n_prompts} prompts cannot cover {len(WORKLOADS)} workloads")
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(seed)
    cases = list(_cases(n_prompts, dice))
    files = SimulatedFiles(
        outcomes=folder / "outcomes.jsonl",
        traffic=folder / "traffic.jsonl",
        config=folder / "trimtab.yaml",
        policy=folder / "policy.yaml",
        policies=folder / "policies",
        truth=folder / "ground-truth.json",
        n_prompts=len(cases),
    )
    _write_lines(files.outcomes, (_outcome(case, model, dice) for case in cases for model in MODELS))
    dice.shuffle(cases)
    _write_lines(files.traffic, (_request(case) for case in cases))
    files.truth.write_bytes(msgspec.json.format(_ENCODER.encode(_truth(cases, seed)), indent=2) + b"\n")
    files.config.write_text(config_text(files.outcomes.name))
    files.policies.mkdir(exist_ok=True)
    for name in (TODAY, *CANDIDATES):
        files.policy_named(name).write_text(policy_text(name))
    files.policy.write_text(policy_text(TODAY))
    return files


def _cases(n_prompts: int, dice: random.Random) -> Iterator[_Case]:
    counts = {workload.name: max(1, round(n_prompts * workload.share)) for workload in WORKLOADS}
    counts[WORKLOADS[0].name] += n_prompts - sum(counts.values())
    for workload in WORKLOADS:
        for number in range(1, counts[workload.name] + 1):
            prompt, difficulty = workload.draw(number, dice)
            yield _Case(
                prompt_id=f"sim-{workload.name}-{number:05d}", workload=workload, prompt=prompt, difficulty=difficulty
            )


def _skill(workload: Workload, model: SimulatedModel) -> float:
    return workload.skills[MODELS.index(model)]


def _outcome(case: _Case, model: SimulatedModel, dice: random.Random) -> dict[str, object]:
    passes = dice.random() < pass_probability(_skill(case.workload, model), case.difficulty)
    answer = case.prompt.right if passes else case.prompt.wrong
    # About four characters a token in English; ten for the chat frame around the messages.
    input_tokens = (len(case.prompt.system) + len(case.prompt.user)) // 4 + 10
    output_tokens = len(answer) // 4 + 1
    return {
        "prompt_id": case.prompt_id,
        "model": model.model,
        "workload": case.workload.name,
        "task_type": case.workload.task_type,
        "app": case.workload.app,
        "sensitivity": case.workload.sensitivity.label,
        "prompt": case.prompt.user,
        "response_text": answer,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cost_usd": f"{model.cost_usd(input_tokens, output_tokens):f}",
        "score": 1.0 if passes else 0.0,
        "latency_ms": round(model.latency_ms(output_tokens, dice), 1),
        "is_simulated": True,
    }


def _request(case: _Case) -> dict[str, object]:
    return {
        "prompt_id": case.prompt_id,
        "workload": case.workload.name,
        "app": case.workload.app,
        "sensitivity": case.workload.sensitivity.label,
        "messages": [
            {"role": "system", "content": case.prompt.system},
            {"role": "user", "content": case.prompt.user},
        ],
        "is_simulated": True,
    }


def _truth(cases: list[_Case], seed: int) -> dict[str, object]:
    expected: dict[str, dict[str, object]] = {}
    for workload in WORKLOADS:
        mine = sorted((case for case in cases if case.workload is workload), key=lambda case: case.prompt_id)
        shares = {
            model.name: round(
                sum(pass_probability(_skill(workload, model), case.difficulty) for case in mine) / len(mine), 4
            )
            for model in MODELS
        }
        expected[workload.name] = {"n_prompts": len(mine), "expected_quality": shares}
    return {"note": NOTE, "seed": seed, "workloads": expected}


def _write_lines(path: Path, rows: Iterator[dict[str, object]]) -> None:
    with path.open("wb") as file:
        for row in rows:
            file.write(_ENCODER.encode(row) + b"\n")
