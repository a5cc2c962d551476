from collections.abc import Callable

import pytest

from trimtab.catalog.cards import ModelCard, Pool
from trimtab.policy import Constraints, Facts, Policy, load_policy

POOL = Pool.of(
    [
        ModelCard(provider="openai", model="large", model_class="frontier", region="us-east", is_approved=True),
        ModelCard(provider="openai", model="mini", model_class="small", region="eu-west"),
        ModelCard(
            provider="anthropic",
            model="large",
            model_class="frontier",
            region="eu-west",
            capabilities=frozenset({"chat", "streaming", "vision", "tools"}),
        ),
        ModelCard(provider="local", model="small", model_class="small", boundary="inside", is_approved=True),
        ModelCard(provider="local", model="tuned", model_class="fine_tuned", boundary="inside"),
    ],
    aliases={"cheap": "openai:mini"},
)


@pytest.fixture
def pool() -> Pool:
    return POOL


@pytest.fixture
def policy() -> Callable[[str], Policy]:
    """Read a policy whose head line is given for it."""
    return lambda text: load_policy(f"policy: test\n{text}", origin="policy.yaml")


@pytest.fixture
def resolve(policy: Callable[[str], Policy]) -> Callable[..., Constraints]:
    """Resolve one call, internal unless it says otherwise, under a policy text."""

    def run(text: str, **facts: object) -> Constraints:
        return policy(text).resolve(Facts(**{"sensitivity": 1, **facts}), POOL)  # type: ignore[arg-type]  # by name

    return run
