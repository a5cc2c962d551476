"""How many calls may be under way at once, and who is next."""

import asyncio
import time
from collections import deque


class Slots:
    """A counter with a queue. ``n_slots`` of ``None`` is no limit."""

    def __init__(self, n_slots: int | None) -> None:
        self._n_slots = n_slots
        self._n_taken = 0
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def has_room(self) -> bool:
        """Whether a call would start without waiting."""
        return self._n_slots is None or self._n_taken < self._n_slots

    async def take(self, deadline_s: float) -> None:
        """Take a slot, first come first served.

        Raises:
            TimeoutError: none was free by ``deadline_s`` (``time.monotonic()``).
        """
        if self.has_room:
            self._n_taken += 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(deadline_s - time.monotonic()):
                await waiter
        except (TimeoutError, asyncio.CancelledError):
            if waiter.done() and not waiter.cancelled():  # given one in the same moment: hand it on
                self.release()
            raise

    def release(self) -> None:
        """Give the slot to who waits longest, or free it."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._n_taken -= 1
