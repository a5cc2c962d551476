"""A provider in front of a local engine: asked only while the engine is ready."""

import asyncio
import time

from trimtab.core.errors import UpstreamUnavailable
from trimtab.gateway import Provider, UpstreamRequest, UpstreamResponse
from trimtab.wiring.engine_board import EngineBoard

_LOOK_S = 0.05


class EngineProvider:
    """Satisfies ``trimtab.gateway.Provider``; sends through another one.

    Args:
        inner: Speaks to the engine's address.
        board: Says how the engine is.
    """

    is_recorded = False

    def __init__(self, inner: Provider, board: EngineBoard) -> None:
        self.name = inner.name
        self.output_limit_field = inner.output_limit_field
        self._inner = inner
        self._board = board

    def __repr__(self) -> str:
        return f"EngineProvider({self._inner!r})"

    def is_available(self, model: str) -> bool:
        """Return whether the engine is ready; a busy one is worth a short wait, not a dearer model."""
        entry = self._board.entries.get(self.name)
        return entry is not None and entry.is_ready

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send as the inner provider does; a call that comes while the engine starts waits for it.

        Whoever is sent here while it is not ready had nowhere else to go: models that are unavailable are asked last.

        Raises:
            UpstreamUnavailable: the engine is not ready; the message says why.
        """
        entry = self._board.entries.get(self.name)
        while entry is not None and entry.phase == "starting" and time.monotonic() < request.deadline_s:
            await asyncio.sleep(_LOOK_S)
            entry = self._board.entries.get(self.name)
        if entry is None or not entry.is_ready:
            state = "not running" if entry is None else entry.phase
            reason = f": {entry.reason}" if entry is not None and entry.reason else "."
            raise UpstreamUnavailable(
                f"engine {self.name!r} is {state}{reason}", hint="`trimtab models engines` shows every engine."
            )
        return await self._inner.send(request)

    async def aclose(self) -> None:
        """Close idle connections."""
        await self._inner.aclose()
