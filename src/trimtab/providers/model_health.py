"""Everything one model's calls are held to: breaker, cool-down and concurrency."""

import asyncio

from trimtab.core import Clock
from trimtab.core.errors import UpstreamUnavailable
from trimtab.gateway import UpstreamResponse
from trimtab.providers.breaker import Breaker, CoolDown
from trimtab.providers.config import ProviderConfig
from trimtab.providers.retry_after import retry_after_s
from trimtab.providers.slots import Slots

REFUSALS = frozenset({429, 503, 529})
"""Statuses that say "not now" before any work was done; 529 is Anthropic's "overloaded"."""


class ModelHealth:
    """State of one model of one provider.

    Args:
        config: Its limits.
        model: The provider's own name for the model.
        clock: Time for breaker and cool-down.
    """

    def __init__(self, config: ProviderConfig, model: str, clock: Clock) -> None:
        self.label = f"provider {config.name!r}, model {model!r}"
        """Begins every error message about it."""
        self._clock = clock
        self._breaker = Breaker(config.breaker)
        self._cool_down = CoolDown(config.cool_down)
        self._slots = Slots(config.max_concurrency_per_model)

    def is_available(self, now_s: float) -> bool:
        """Return whether a call would be tried at once."""
        return self._breaker.allows(now_s) and self._cool_down.is_over(now_s) and self._slots.has_room

    async def admit(self, deadline_s: float) -> bool:
        """Let one try start, waiting for a slot; return whether it is the breaker's probe. Ends with :meth:`over`.

        Raises:
            UpstreamUnavailable: breaker open, cooling down, or no slot by ``deadline_s``.
        """
        self._require_open()
        try:
            await self._slots.take(deadline_s)
        except TimeoutError as exc:
            raise UpstreamUnavailable(
                f"{self.label}: no slot was free before the deadline.", hint="Raise max_concurrency_per_model."
            ) from exc
        try:
            self._require_open()  # a wait may have been long
        except UpstreamUnavailable:
            self._slots.release()
            raise
        return self._breaker.enter()

    def _require_open(self) -> None:
        now_s = self._clock.monotonic_s()
        if not self._cool_down.is_over(now_s):
            wait_s = self._cool_down.until_s - now_s
            raise UpstreamUnavailable(f"{self.label}: cooling down for another {wait_s:.1f} s, as the provider asked.")
        if not self._breaker.allows(now_s):
            raise UpstreamUnavailable(f"{self.label}: the breaker is open after repeated failures.")

    def may_retry(self) -> bool:
        """Return whether the breaker would let another try start."""
        return self._breaker.allows(self._clock.monotonic_s())

    def on_head(self, response: UpstreamResponse) -> None:
        """Take a response's status: a refusal starts a rest, anything else below 500 ends one."""
        status = response.status
        if status in REFUSALS:
            wait_s = retry_after_s(response.headers, now_us=self._clock.now_us())
            self._cool_down.on_refused(self._clock.monotonic_s(), wait_s)
        elif status < 500:
            self._cool_down.on_accepted()

    def over(self, outcome: BaseException | None, *, status: int, is_probe: bool) -> None:
        """Take one try's end: ``outcome`` as of an exchange, ``status`` 0 when no head came."""
        self._slots.release()
        self._breaker.leave(self._clock.monotonic_s(), has_failed=_has_failed(outcome, status), is_probe=is_probe)


def _has_failed(outcome: BaseException | None, status: int) -> bool | None:
    if status >= 500:
        return True
    if outcome is None:
        return False
    if isinstance(outcome, asyncio.CancelledError):  # the caller left: after a good head the model is well
        return False if status else None
    return None if isinstance(outcome, UpstreamUnavailable) else True  # our own pool was full: not the model's doing
