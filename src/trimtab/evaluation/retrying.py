"""Asking again: what failed for a moment is asked again with growing pauses, until the case's time is up."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from trimtab.core.errors import RateLimited, TrimtabError, UpstreamError
from trimtab.evaluation.case import Case
from trimtab.evaluation.running import DEADLINE_PASSED, Answer

PASSING_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""A provider's "not now". Other statuses from 400 on are about the request and would come again."""


class Request(NamedTuple):
    """One repetition of a case, ready to be asked."""

    case: Case
    sample: int = 0
    seed: int | None = None


AskRequest = Callable[[Request], Awaitable[Answer]]
"""Puts one request to the model under test, once."""


class Asked(NamedTuple):
    """What came of a request."""

    answer: Answer | None
    error: str | None
    """Why there is no answer: an error's code, ``status_N`` or ``deadline_passed``."""
    n_tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long one request is pursued."""

    deadline_s: float = 120.0
    """For all tries together."""
    max_tries: int = 6
    base_s: float = 0.5
    """The first pause lasts up to this long, each further one up to twice as long as the one before."""
    max_pause_s: float = 20.0

    def pause_s(self, n_tries: int, exc: TrimtabError | OSError) -> float | None:
        """Return how long to wait after so many tries; ``None`` to give up.

        Source:
            "Full jitter": Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog (2015).
        """
        if n_tries >= self.max_tries or not is_passing(exc):
            return None
        asked_s = (exc.retry_after_s or 0.0) if isinstance(exc, RateLimited) else 0.0
        return asked_s + random.random() * min(self.max_pause_s, self.base_s * 2.0 ** (n_tries - 1))


async def ask_patiently(ask: AskRequest, request: Request, patience: Patience) -> Asked:
    """Ask until there is an answer, a failure that would come again, or no time left.

    An error that nobody expected of ``ask`` is a bug and is raised.
    """
    n_tries, error = 0, DEADLINE_PASSED
    try:
        async with asyncio.timeout(patience.deadline_s):
            while True:
                n_tries += 1
                try:
                    return Asked(await ask(request), None, n_tries)
                except (TrimtabError, OSError) as exc:
                    if isinstance(exc, TimeoutError):
                        raise
                    pause_s = patience.pause_s(n_tries, exc)
                    if pause_s is None:
                        return Asked(None, error_code(exc), n_tries)
                await asyncio.sleep(pause_s)
    except TimeoutError:
        return Asked(None, error, n_tries)


def is_passing(exc: TrimtabError | OSError) -> bool:
    """Return whether another try may well succeed: cuts, overload and the provider's own failures."""
    if isinstance(exc, UpstreamError):
        return exc.status is None or exc.status in PASSING_STATUSES
    return isinstance(exc, RateLimited | OSError)


def error_code(exc: TrimtabError | OSError) -> str:
    """Return the word under which a failure is counted.

    >>> error_code(UpstreamError("no", status=400)), error_code(ConnectionResetError())
    ('status_400', 'ConnectionResetError')
    """
    if isinstance(exc, UpstreamError) and exc.status is not None and type(exc) is UpstreamError:
        return f"status_{exc.status}"
    return exc.code if isinstance(exc, TrimtabError) else type(exc).__name__
