"""Results on their way to the store: a few at a time, beside the calls, and the rest when the run ends however."""

import asyncio
import contextlib

from trimtab.store import EvaluationStore, Recorded

FLUSH_S = 0.25
"""A result is in the database after about this long; a killed run asks again for what came later."""
FLUSH_ROWS = 200
MAX_WAITING = 2000
"""Nothing more is asked while so many results wait for the database."""


class ResultWriter:
    """Keeps results of one run.

    Args:
        store: Where they go.
        run_id: Whose.
    """

    def __init__(self, store: EvaluationStore, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._waiting: list[Recorded] = []
        self._has_some = asyncio.Event()
        self._is_full = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()

    def add(self, recorded: Recorded) -> None:
        """Take a result without waiting."""
        self._waiting.append(recorded)
        self._has_some.set()
        if len(self._waiting) >= FLUSH_ROWS:
            self._is_full.set()
        if len(self._waiting) >= MAX_WAITING:
            self._has_room.clear()

    async def wait_for_room(self) -> None:
        """Return when the database is not far behind."""
        await self._has_room.wait()

    async def write_forever(self) -> None:
        """Write what waits, now and then, until cancelled.

        Raises:
            StoreError: the database failed; what is not in it will be asked again.
        """
        while True:
            await self._has_some.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S):
                    await self._is_full.wait()
            batch = self._waiting[:]
            # Rows leave the list once they are in: when this is cancelled meanwhile, the last write has them again.
            await asyncio.to_thread(self._store.add_results, self._run_id, batch)
            self._forget(len(batch))

    def write_rest(self) -> None:
        """Write what is left, when the run ends or breaks off.

        Raises:
            StoreError: the database failed.
        """
        self._store.add_results(self._run_id, self._waiting)
        self._forget(len(self._waiting))

    def _forget(self, n_written: int) -> None:
        del self._waiting[:n_written]
        self._has_room.set()
        if len(self._waiting) < FLUSH_ROWS:
            self._is_full.clear()
        if not self._waiting:
            self._has_some.clear()
