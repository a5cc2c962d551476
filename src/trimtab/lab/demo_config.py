"""The demo's configuration and policies as text."""

import json
from collections.abc import Mapping, Sequence

from trimtab.lab.demo_work import WORK
from trimtab.lab.pool import PoolModel

SMALL, LARGE = "local-small", "local-large"
"""The two engines, and so the providers of the pool."""
TODAY, PROVEN = "today", "proven"
"""The policy that the demo begins with, and the one that follows from the evidence."""
CONTEXT_TOKENS = 512
SLOTS = 4
THREADS = 1
"""Of each engine. Two were up to ten times slower on two busy cores: they wait for each other in a loop."""


def model_name(provider: str, model: PoolModel) -> str:
    """Return ``provider:model`` of a model of the pool."""
    return f"{provider}:{model.card.name}"


def config_text(models: Mapping[str, PoolModel]) -> str:
    """Return ``trimtab.yaml``.

    Args:
        models: By the engine that serves them.
    """
    return _CONFIG.format(
        engines="".join(_engine(name, model) for name, model in models.items()),
        models="".join(_model(name, model) for name, model in models.items()),
        workloads="".join(
            _WORKLOAD.format(
                name=work.name,
                meaning=json.dumps(work.meaning),
                workload_class=work.workload_class,
                app=work.app,
                task_types=", ".join(work.task_types),
            )
            for work in WORK
        ),
    )


def policy_text(name: str, head: str, *, large: str, small: str, moved: Mapping[str, str]) -> str:
    """Return a policy: the large model for everything but what was moved, each the other's failover.

    Args:
        name: Of the policy.
        head: What it is, as a comment.
        large: ``provider:model``.
        small: ``provider:model``.
        moved: Why, by workload that the small model answers.
    """
    workloads = "".join(_terms(work.name, work.quality_bar, moved.get(work.name), (small, large)) for work in WORK)
    tests = "".join(_TEST.format(name=work.name, both=_listed((large, small))) for work in WORK)
    return _POLICY.format(head=head, name=name, prefer=_listed((large, small)), workloads=workloads, tests=tests)


def _terms(name: str, bar: float, why: str | None, prefer: Sequence[str]) -> str:
    lines = f"  {name}:\n    quality_bar: {bar:g}\n"
    return lines if why is None else f"{lines}    prefer: {_listed(prefer)} # {why}\n"


def _listed(models: Sequence[str]) -> str:
    return json.dumps(list(models))


def _engine(name: str, model: PoolModel) -> str:
    return _ENGINE.format(
        name=name,
        model=model.card.name,
        path=json.dumps(str(model.path)),
        slots=SLOTS,
        threads=THREADS,
        context_tokens=CONTEXT_TOKENS,
    )


def _model(provider: str, model: PoolModel) -> str:
    price = model.card.price
    return _MODEL.format(
        provider=provider,
        model=model.card.name,
        model_class="small" if provider == SMALL else "frontier",
        source=json.dumps(f"stated by the lab: {price.source}"),
        input=f"{price.input_usd_per_mtok:f}",
        output=f"{price.output_usd_per_mtok:f}",
    )


_CONFIG = """\
# Two small language models of our own, served on this machine. Nobody sells them: their prices are stated by the lab.
data_dir: trimtab-data
policy_file: policy.yaml
auth: none # loopback only

engines:
{engines}
models:
{models}
workloads: # for calls that do not name theirs
{workloads}"""

_ENGINE = """\
  - name: {name}
    kind: llama_cpp
    model: {model}
    path: {path}
    slots: {slots}
    threads: {threads}
    context_tokens: {context_tokens}
"""

_MODEL = """\
  - provider: {provider}
    model: {model}
    model_class: {model_class}
    boundary: inside
    price: {{source: {source}, input_usd_per_mtok: {input}, output_usd_per_mtok: {output}}}
"""

_WORKLOAD = """\
  - name: {name}
    description: {meaning}
    workload_class: {workload_class}
    match:
      - {{app: {app}, task_types: [{task_types}]}}
"""

_POLICY = """\
# {head}
policy: {name}

organisation:
  sensitivity: internal
  mode: fixed
  prefer: {prefer}

workloads:
{workloads}
tests:
{tests}"""

_TEST = """\
  - name: {name} has a failover
    facts: {{workload: {name}, sensitivity: internal}}
    expect: {{model_allowed: {both}, refused: false}}
"""
