"""The ground truth of the simulated pool: who is how good at what, how dear and how fast.

Nothing here was measured on a real model. The figures are round numbers chosen so that each workload has another
best answer: one that the smallest model does well, two in between, and one that only the largest handles.
"""

import math
import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from tests.support.simulated.prompts import (
    Prompt,
    PromptMaker,
    contract_prompt,
    faq_prompt,
    review_prompt,
    triage_prompt,
)

from trimtab.catalog import TOKENS_PER_MTOK
from trimtab.core import Sensitivity, from_nano_usd, to_nano_usd

PROVIDER = "simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedModel:
    """One model of the pool."""

    model: str
    boundary: Literal["inside", "outside"]
    model_class: Literal["small", "frontier", "unknown"]
    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal
    ttft_ms: float
    tokens_per_s: float
    capability_rank: float

    @property
    def name(self) -> str:
        """``provider:model``."""
        return f"{PROVIDER}:{self.model}"

    def cost_usd(self, input_tokens: int, output_tokens: int) -> Decimal:
        """Return the cost of one call, to the nano-dollar."""
        cost = (input_tokens * self.input_usd_per_mtok + output_tokens * self.output_usd_per_mtok) / TOKENS_PER_MTOK
        return from_nano_usd(to_nano_usd(cost))

    def latency_ms(self, output_tokens: int, dice: random.Random) -> float:
        """Return a latency: waiting, then writing, with a long right tail."""
        return (self.ttft_ms + 1000 * output_tokens / self.tokens_per_s) * math.exp(dice.gauss(0, 0.25))


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One kind of traffic."""

    name: str
    app: str
    task_type: str
    sensitivity: Sensitivity
    share: float
    """Of all prompts."""
    difficulty: float
    """Mean difficulty of its prompts, on the same scale as the skills."""
    skills: tuple[float, float, float, float]
    """Of the four models, in the order of ``MODELS``."""
    make_prompt: PromptMaker

    @property
    def system(self) -> str:
        """The system prompt, the same for all its calls."""
        return self.make_prompt(0, random.Random(0)).system

    def draw(self, number: int, dice: random.Random) -> tuple[Prompt, float]:
        """Return a prompt and its difficulty."""
        return self.make_prompt(number, dice), dice.gauss(self.difficulty, 1.0)


MODELS = (
    SimulatedModel(
        model="local-small",
        boundary="inside",
        model_class="small",
        input_usd_per_mtok=Decimal("0.02"),
        output_usd_per_mtok=Decimal("0.04"),
        ttft_ms=60,
        tokens_per_s=140,
        capability_rank=1,
    ),
    SimulatedModel(
        model="local-medium",
        boundary="inside",
        model_class="small",
        input_usd_per_mtok=Decimal("0.12"),
        output_usd_per_mtok=Decimal("0.24"),
        ttft_ms=140,
        tokens_per_s=60,
        capability_rank=2,
    ),
    SimulatedModel(
        model="hosted-mid",
        boundary="outside",
        model_class="unknown",
        input_usd_per_mtok=Decimal("0.40"),
        output_usd_per_mtok=Decimal("1.60"),
        ttft_ms=350,
        tokens_per_s=90,
        capability_rank=3,
    ),
    SimulatedModel(
        model="hosted-large",
        boundary="outside",
        model_class="frontier",
        input_usd_per_mtok=Decimal("3.00"),
        output_usd_per_mtok=Decimal("15.00"),
        ttft_ms=700,
        tokens_per_s=55,
        capability_rank=4,
    ),
)

WORKLOADS = (
    Workload(
        name="support-triage",
        app="helpdesk",
        task_type="extraction",
        sensitivity=Sensitivity.INTERNAL,
        share=0.40,
        difficulty=0.0,
        skills=(3.0, 3.2, 3.3, 3.4),
        make_prompt=triage_prompt,
    ),
    Workload(
        name="shop-faq",
        app="web-shop",
        task_type="chat",
        sensitivity=Sensitivity.PUBLIC,
        share=0.30,
        difficulty=0.0,
        skills=(1.2, 2.4, 2.9, 3.1),
        make_prompt=faq_prompt,
    ),
    Workload(
        name="code-review",
        app="ci",
        task_type="code",
        sensitivity=Sensitivity.INTERNAL,
        share=0.20,
        difficulty=0.5,
        skills=(-1.0, 0.6, 1.6, 2.8),
        make_prompt=review_prompt,
    ),
    Workload(
        name="contract-reasoning",
        app="legal",
        task_type="reasoning",
        sensitivity=Sensitivity.RESTRICTED,
        share=0.10,
        difficulty=0.5,
        skills=(-0.8, 1.4, 1.6, 2.6),
        make_prompt=contract_prompt,
    ),
)


def pass_probability(skill: float, difficulty: float) -> float:
    """Return the chance that a model of some skill answers a prompt of some difficulty well.

    >>> pass_probability(1.0, 1.0), round(pass_probability(2.0, 0.0), 4)
    (0.5, 0.8808)

    Source:
        The one-parameter logistic model: Rasch, "Probabilistic Models for Some Intelligence and Attainment Tests",
        1960.
    """
    return 1 / (1 + math.exp(difficulty - skill))
