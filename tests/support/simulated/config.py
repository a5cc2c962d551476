"""The simulated pool's configuration and policies as text."""

import json
from importlib import resources

from tests.support.simulated.models import MODELS, PROVIDER, WORKLOADS

NOTE = "Simulated: no real model wrote, priced or timed any of this."

TODAY = "today"
"""The policy that its folder begins with."""
CANDIDATES = ("cheapest", "thrifty", "careful")
"""The policies that are compared with it."""


def policy_text(name: str) -> str:
    """Return one of the policies as YAML."""
    return (resources.files("tests.support.simulated") / "policies" / f"{name}.yaml").read_text()


def config_text(outcomes: str) -> str:
    """Return ``trimtab.yaml`` for the simulated pool.

    Args:
        outcomes: File of recorded outcomes, relative to the configuration.
    """
    models = "".join(
        _MODEL.format(
            model=model.model,
            provider=PROVIDER,
            model_class=model.model_class,
            boundary=model.boundary,
            rank=f"{model.capability_rank:g}",
            input=model.input_usd_per_mtok,
            output=model.output_usd_per_mtok,
        )
        for model in MODELS
    )
    workloads = "".join(
        _WORKLOAD.format(name=w.name, task_type=w.task_type, prefix=json.dumps(w.system)) for w in WORKLOADS
    )
    return _CONFIG.format(note=NOTE, provider=PROVIDER, outcomes=outcomes, models=models, workloads=workloads)


_CONFIG = """\
# {note}
data_dir: trimtab-data
policy_file: policy.yaml
auth: none # loopback only

providers:
  - name: {provider}
    kind: recorded # answers from a file and is marked so in every record
    path: {outcomes}

models:
{models}
workloads: # for calls that do not name theirs
{workloads}"""

_MODEL = """\
  - provider: {provider}
    model: {model}
    model_class: {model_class}
    boundary: {boundary}
    capability_rank: {rank}
    price: {{source: simulated, input_usd_per_mtok: {input}, output_usd_per_mtok: {output}}}
"""

_WORKLOAD = """\
  - name: {name}
    task_type: {task_type}
    match:
      - system_prefix: {prefix}
"""
