"""How far an evaluation has come, on one line of a terminal: share, rate, time left, money."""

import time
from collections.abc import Mapping

from trimtab.cli import output
from trimtab.control.numbers import usd
from trimtab.replay.evaluating import Done
from trimtab.wiring.evaluating import Part


class RunProgress:
    """The line for all models together.

    Args:
        n_expected: Results in the end, by model.
    """

    def __init__(self, n_expected: Mapping[str, int]) -> None:
        self._line = output.Progress()
        self._n_expected = sum(n_expected.values())
        self._done: dict[str, Done] = {}
        self._started_s = time.monotonic()

    def update(self, part: Part, done: Done) -> None:
        """Count a result."""
        self._done[part.target.name] = done
        self._line.update(self.text(time.monotonic() - self._started_s))

    def say(self, text: str) -> None:
        """Show something else meanwhile."""
        self._line.update(text)

    def clear(self) -> None:
        """Take the line away."""
        self._line.clear()

    @property
    def n_done(self) -> int:
        """Results so far, those of earlier attempts included."""
        return sum(done.n_done for done in self._done.values())

    def text(self, elapsed_s: float) -> str:
        """Return the line.

        Args:
            elapsed_s: Since the first request.
        """
        every = self._done.values()
        n_new = sum(done.n_asked + done.n_cached for done in every)
        n_failed = sum(done.n_failed for done in every)
        rate = n_new / elapsed_s if elapsed_s > 0 else 0.0
        left_s = (self._n_expected - self.n_done) / rate if rate else None
        parts = [
            f"{self.n_done:,} of {self._n_expected:,} answers",
            f"{rate:,.1f} a second",
            *([] if left_s is None else [f"{output.duration(left_s)} left"]),
            *([f"{n_failed:,} failed"] if n_failed else []),
            *([usd(cost)] if (cost := sum(done.cost_nano_usd for done in every)) else []),
        ]
        return ", ".join(parts)
