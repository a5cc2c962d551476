"""Writes what the demo needs into one folder: configuration, policy and the prompts that it sends."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from trimtab.lab.demo_config import LARGE, SMALL, TODAY, config_text, model_name, policy_text
from trimtab.lab.demo_work import WorkCase, draw_work
from trimtab.lab.pool import PoolModel
from trimtab.lab.pool.measuring import ANSWER_TOKENS
from trimtab.lab.traffic import Request

SENSITIVITY = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoFiles:
    """What :func:`write_demo` wrote, and the cases behind it."""

    config: Path
    """``trimtab.yaml``: two engines, their models with the lab's prices, and how the workloads are recognised."""
    policy: Path
    """``policy.yaml``, the file that the gateway watches."""
    policies: Path
    """Folder of the policies, ``NAME.yaml`` each."""
    traffic: Path
    """JSONL, one line a call in the order to send: ``part``, ``workload``, ``prompt`` and the ``expected`` answer."""
    models: Mapping[str, PoolModel]
    """By engine: ``local-small`` and ``local-large``."""
    first: list[WorkCase]
    """What is sent under the policy of today."""
    fresh: list[WorkCase]
    """What is sent under the one that follows."""

    @property
    def small(self) -> str:
        """``provider:model`` of the small model."""
        return model_name(SMALL, self.models[SMALL])

    @property
    def large(self) -> str:
        """``provider:model`` of the large model."""
        return model_name(LARGE, self.models[LARGE])

    def write_policy(self, name: str, head: str, moved: Mapping[str, str]) -> Path:
        """Write a policy into the folder of policies; see ``policy_text``."""
        path = self.policies / f"{name}.yaml"
        path.write_text(policy_text(name, head, large=self.large, small=self.small, moved=moved))
        return path


def write_demo(folder: Path, *, small: PoolModel, large: PoolModel, n_calls: int, seed: int) -> DemoFiles:
    """Write the demo's files; the same arguments give the same bytes.

    Args:
        folder: Made when missing; files of the same names are replaced.
        small: The model that may become a default.
        large: The model that answers everything today.
        n_calls: Over all workloads and both parts.
        seed: Of the prompts.

    Raises:
        ValueError: ``n_calls`` is too small.
        OSError: the folder cannot be written.
    """
    first, fresh = draw_work(n_calls, seed)
    files = DemoFiles(
        config=folder / "trimtab.yaml",
        policy=folder / "policy.yaml",
        policies=folder / "policies",
        traffic=folder / "traffic.jsonl",
        models={SMALL: small, LARGE: large},
        first=first,
        fresh=fresh,
    )
    files.policies.mkdir(parents=True, exist_ok=True)
    files.config.write_text(config_text(files.models))
    today = files.write_policy(TODAY, "What the demo begins with: the large model answers everything.", {})
    files.policy.write_text(today.read_text())
    with files.traffic.open("wb") as lines:
        for row in (*_rows("first", first), *_rows("fresh", fresh)):
            lines.write(msgspec.json.encode(row) + b"\n")
    return files


def request_of(sent: WorkCase) -> Request:
    """Return the call that puts a case to a model, answered as exactly as the model can."""
    return Request(
        prompt_id=sent.prompt_id,
        workload=sent.work.name,
        app=sent.work.app,
        sensitivity=SENSITIVITY,
        messages=[{"role": "user", "content": sent.case.prompt}],
        options={"temperature": 0, "max_tokens": ANSWER_TOKENS},
    )


def _rows(part: str, cases: list[WorkCase]) -> Iterator[dict[str, str]]:
    for sent in cases:
        yield {
            "part": part,
            "prompt_id": sent.prompt_id,
            "workload": sent.work.name,
            "app": sent.work.app,
            "prompt": sent.case.prompt,
            "expected": sent.case.expected,
        }
