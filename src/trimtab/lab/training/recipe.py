"""How a model of the pool is trained: its shape, its budget, its seed. Both models follow the same kind of recipe."""

from dataclasses import dataclass
from typing import Final, Literal

from trimtab.lab.office import BASE_STRATA, Stratum

Turn = Literal["drill", "exercises", "cases"]
TOKENIZER_SEED: Final = 1
TOKENIZER_CASES: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides the weights, apart from the machine's rounding."""

    name: str
    width: int
    n_layers: int
    n_heads: int
    feed_forward_width: int
    n_steps: int
    n_drill_steps: int = 700
    """First steps, which only repeat random tokens. Copying appears there all at once; on the office's work alone it
    takes five times as long."""
    n_short_drill_steps: int = 400
    """The first of these, with few tokens at a time: the large model learned nothing from long ones in 600 steps."""
    drill_tokens: int = 512
    """Of one step of the drill: it takes steps, not tokens."""
    turns: tuple[Turn, ...] = ("drill", "cases", "cases", "exercises", "cases", "cases", "exercises", "cases")
    """What later steps learn from, in turn. Without drills copying would be lost to short cuts; exercises are single
    steps of reasoning, ten times as many of them a token as in cases."""
    batch_tokens: int = 2048
    """Prompts and answers of one step, padding included."""
    vocabulary_size: int = 1024
    context_tokens: int = 512
    strata: tuple[Stratum, ...] = ("routine", "reasoning", "routine", "reasoning", "edge")
    """Drawn in turn; edge cases are as rare as their name says."""
    matrix_rate: float = 0.01
    """Peak learning rate of Muon, for matrices."""
    other_rate: float = 0.01
    """Peak learning rate of AdamW, for embeddings and norms."""
    weight_decay: float = 0.01
    warmup_fraction: float = 0.02
    decay_fraction: float = 0.7
    """Last part of the steps, over which the learning rate falls to nothing."""
    seed: int = 1

    def turn(self, step: int) -> Turn:
        """Return what a step learns from."""
        return "drill" if step < self.n_drill_steps else self.turns[step % len(self.turns)]

    def tokens_left(self, step: int) -> int:
        """Return about how many tokens are still to come, for an estimate of the time."""
        n_drills = sum(self.turn(later) == "drill" for later in range(step, self.n_steps))
        return n_drills * self.drill_tokens + (self.n_steps - step - n_drills) * self.batch_tokens

    def rate_factor(self, step: int) -> float:
        """Return the part of the peak learning rate at a step: up, level, down.

        >>> [round(SMALL.rate_factor(step), 2) for step in (0, SMALL.n_steps // 5, SMALL.n_steps - 1)]
        [0.01, 1.0, 0.0]
        """
        warmup = max(1, round(self.n_steps * self.warmup_fraction))
        decay = max(1, round(self.n_steps * self.decay_fraction))
        return min(1.0, (step + 1) / warmup, (self.n_steps - step) / decay)


SMALL: Final = Recipe(
    name="office-small",
    width=192,
    n_layers=3,
    n_heads=4,
    feed_forward_width=512,
    n_steps=4_500,
    strata=("routine", "routine", "edge", "routine", "reasoning"),
    turns=("drill", "cases", "cases", "cases", "exercises", "cases", "cases", "cases"),
)
"""Made for routine work: it sees three times as much of it as of reasoning, which its size cannot learn anyway."""
LARGE: Final = Recipe(name="office-large", width=320, n_layers=4, n_heads=5, feed_forward_width=864, n_steps=4_500)
FAST: Final = Recipe(
    name="office-fast",
    width=192,
    n_layers=3,
    n_heads=4,
    feed_forward_width=512,
    n_steps=1_800,
    batch_tokens=1024,
    strata=("routine",),
    turns=("drill", *("cases",) * 7),
)
"""A reduced pool of one model, to prove the recipe in minutes: routine work only."""
FAST_FLOOR: Final = 0.8
"""Accuracy on routine work that :data:`FAST` reaches on two cores."""
RECIPES: Final = (SMALL, LARGE)

assert set(SMALL.strata) == set(LARGE.strata) == set(BASE_STRATA)
