"""How much a probe asks, and with which prompts."""

import math
import random
import statistics
import string
from dataclasses import dataclass

from trimtab.core.errors import ConfigurationError

N_CALLS = 20
"""Calls at each concurrency, at least: what a latency target of a policy asks for unless it says otherwise."""
MIN_PASSES = 3
"""Times that each concurrency is tried, at least: a median of three stands one disturbance."""
N_CALIBRATING, N_CHECKS, N_CONTEXT = 2, 3, 2
CHECK_TOKENS = 400
"""Upper bound on input and output of one call that calibrates or tries a capability, for the estimate."""
_CHARS_PER_TOKEN = 2
"""Of random letters, where the server does not count: about what byte-pair encodings make of them."""
_LEAST_SLOPE = 0.05
_INSTRUCTION = "\nGo on with this list of words; do not stop."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePlan:
    """What is asked.

    Raises:
        ConfigurationError: a number makes no sense.
    """

    concurrencies: tuple[int, ...] = (1, 2, 4, 8)
    """Calls under way at a time, each tried on its own."""
    n_calls: int = N_CALLS
    """At each concurrency, rounded up to whole passes and at least ``MIN_PASSES`` of them."""
    input_tokens: int = 128
    """Of each timed call, about: tokens are the server's, and the text is fitted to its count."""
    output_tokens: int = 32
    """Of each timed call; fewer where the model ends its answer and the server has no way to go on."""
    budget_s: float = 60.0
    """No call is begun after it."""
    timeout_s: float = 120.0
    """Of one call."""
    checks_context: bool = True
    """Whether one prompt near the declared context and one beyond it are sent."""

    def __post_init__(self) -> None:
        if not self.concurrencies or any(not 1 <= each <= 256 for each in self.concurrencies):
            raise ConfigurationError(
                f"Concurrency {', '.join(map(str, self.concurrencies)) or 'nothing'} cannot be tried.",
                hint="Give whole numbers from 1 to 256, such as --concurrency 1,2,4.",
            )
        object.__setattr__(self, "concurrencies", tuple(sorted(set(self.concurrencies))))

    def n_passes(self, concurrency: int) -> int:
        """Return how often so many calls are begun together.

        Example:
            >>> [ProbePlan().n_passes(each) for each in (1, 2, 8)]
            [20, 10, 3]
        """
        return max(MIN_PASSES, math.ceil(self.n_calls / concurrency))

    @property
    def n_timed(self) -> int:
        """Timed calls in all."""
        return sum(self.n_passes(each) * each for each in self.concurrencies)

    @property
    def n_total(self) -> int:
        """All calls, for a progress bar."""
        return self.n_timed + N_CALIBRATING + N_CHECKS + (N_CONTEXT if self.checks_context else 0)

    @property
    def estimated_input_tokens(self) -> int:
        """Upper bound on what is read, the calls for the context left out."""
        return self.n_timed * self.input_tokens + (N_CALIBRATING + N_CHECKS) * CHECK_TOKENS

    @property
    def estimated_output_tokens(self) -> int:
        """Upper bound on what is written."""
        return self.n_timed * self.output_tokens + (N_CALIBRATING + N_CHECKS) * CHECK_TOKENS

    def fitted(self, context_tokens: int | None) -> "ProbePlan":
        """Return the plan with calls that fit into a context.

        Raises:
            ConfigurationError: input and output together are longer than the context.
        """
        needed = self.input_tokens + self.output_tokens
        if context_tokens is not None and needed > context_tokens:
            raise ConfigurationError(
                f"A timed call of {self.input_tokens:,} + {self.output_tokens:,} tokens does not fit into a context of "
                f"{context_tokens:,}.",
                hint="Ask for less with --input-tokens and --output-tokens.",
            )
        return self


class Prompts:
    """Prompts of a wanted length that no cache has seen: words of random letters from the first one on.

    Args:
        dice: Where the letters come from; not seeded outside tests, or a second probe would meet its own cache.
    """

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._seen: list[tuple[int, int]] = []

    def of_chars(self, n_chars: int) -> str:
        """Return a prompt with so many characters of random words."""
        words: list[str] = []
        missing = n_chars
        while missing > 0:
            word = "".join(self._dice.choices(string.ascii_lowercase, k=self._dice.randint(2, 8)))[:missing]
            words.append(word)
            missing -= len(word) + 1
        return " ".join(words) + _INSTRUCTION

    def learn(self, prompt: str, n_tokens: int) -> None:
        """Remember how many tokens the server found in a prompt that was made here."""
        self._seen.append((len(prompt) - len(_INSTRUCTION), n_tokens))

    def of_tokens(self, n_tokens: int) -> str:
        """Return a prompt of about so many tokens, by a line through what was learned."""
        if len({n_chars for n_chars, _ in self._seen}) < 2:
            return self.of_chars(n_tokens * _CHARS_PER_TOKEN)
        slope, base = statistics.linear_regression(*zip(*self._seen, strict=True))
        return self.of_chars(max(8, round((n_tokens - base) / max(slope, _LEAST_SLOPE))))
