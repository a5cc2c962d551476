"""When calls to one model stop: after failures (breaker), and while it asked for rest (cool-down).

Both are told the time by their caller, in monotonic seconds, and answer in constant time.
"""

from trimtab.providers.config import BreakerSettings, CoolDownSettings


class Breaker:
    """Closed until too many calls fail; then open; then one probe at a time decides (half-open).

    Source:
        Nygard, "Release It!", 2nd ed. (2018), ch. 5, "Circuit Breaker".
    """

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._open_until_s: float | None = None
        self._is_probing = False
        self._n_consecutive = 0
        self._window = _Window(settings.window_s)

    def allows(self, now_s: float) -> bool:
        """Return whether a call may start now."""
        if self._open_until_s is None:
            return True
        return now_s >= self._open_until_s and not self._is_probing

    def enter(self) -> bool:
        """Start a call that :meth:`allows` permitted; return whether it is the probe."""
        if self._open_until_s is None:
            return False
        self._is_probing = True
        return True

    def leave(self, now_s: float, *, has_failed: bool | None, is_probe: bool) -> None:
        """Take a call's outcome; ``None`` says nothing about the model, such as a caller that left early."""
        if is_probe:
            self._is_probing = False
            if has_failed is not None:
                self._judge_probe(now_s, has_failed=has_failed)
        elif self._open_until_s is None and has_failed is not None:  # late results of an open breaker change nothing
            self._count(now_s, has_failed=has_failed)

    def _judge_probe(self, now_s: float, *, has_failed: bool) -> None:
        if has_failed:
            self._open_until_s = now_s + self._settings.open_s
        else:
            self._open_until_s = None
            self._n_consecutive = 0
            self._window = _Window(self._settings.window_s)

    def _count(self, now_s: float, *, has_failed: bool) -> None:
        self._window.count(now_s, has_failed=has_failed)
        if not has_failed:
            self._n_consecutive = 0
            return
        self._n_consecutive += 1
        window, settings = self._window, self._settings
        is_bad_share = (
            window.n_calls >= settings.min_calls and window.n_failed >= settings.failure_fraction * window.n_calls
        )
        if is_bad_share or self._n_consecutive >= settings.consecutive_failures:
            self._open_until_s = now_s + settings.open_s


class _Window:
    """Counts over the last half to whole window: the running half and the one before it."""

    def __init__(self, window_s: float) -> None:
        self._half_s = window_s / 2
        self._started_s: float | None = None
        self._running = (0, 0)
        self._before = (0, 0)

    @property
    def n_calls(self) -> int:
        return self._running[0] + self._before[0]

    @property
    def n_failed(self) -> int:
        return self._running[1] + self._before[1]

    def count(self, now_s: float, *, has_failed: bool) -> None:
        if self._started_s is None:
            self._started_s = now_s
        age_s = now_s - self._started_s
        if age_s >= self._half_s:
            self._before = self._running if age_s < 2 * self._half_s else (0, 0)
            self._running = (0, 0)
            self._started_s = now_s
        self._running = (self._running[0] + 1, self._running[1] + has_failed)


class CoolDown:
    """A rest that a model asked for with 429 or 503."""

    def __init__(self, settings: CoolDownSettings) -> None:
        self._settings = settings
        self._n_in_a_row = 0
        self.until_s = float("-inf")

    def is_over(self, now_s: float) -> bool:
        """Return whether calls may go on."""
        return now_s >= self.until_s

    def on_refused(self, now_s: float, retry_after_s: float | None) -> None:
        """Rest as long as asked, or, unasked, twice as long as the last time."""
        if retry_after_s is None:
            if now_s < self.until_s:  # one of several calls refused together: the rest has begun
                return
            retry_after_s = self._settings.default_s * 2.0 ** min(self._n_in_a_row, 16)
            self._n_in_a_row += 1
        self.until_s = max(self.until_s, now_s + min(retry_after_s, self._settings.max_s))

    def on_accepted(self) -> None:
        """Forget the refusals: a call was taken."""
        self._n_in_a_row = 0
