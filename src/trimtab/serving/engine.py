"""What a local engine is to the rest of the house: something that starts, answers OpenAI's protocol, and ends."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from trimtab.catalog import Capability


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an engine answers."""

    base_url: str
    """OpenAI's paths follow it: ``http://127.0.0.1:40123/v1``."""
    api_key: str | None = field(default=None, repr=False)
    """Sent as a bearer token; an engine that Trimtab starts has one of its own, so that no other user can ask it."""
    label: str = "engine"
    """Begins messages about it, such as ``engine 'small'``."""
    max_connections: int = 120
    """Calls to send at a time, those included that wait in the engine; more wait before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A LoRA adapter, served as a model of its own beside its base."""

    name: str
    """What callers of the engine name as ``model``."""
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """What a ready engine says of itself. What it does not say is ``None``."""

    models: tuple[str, ...]
    """Names it answers to, adapters included."""
    capabilities: frozenset[Capability]
    context_tokens: int | None = None
    """Input and output together, of one call."""
    slots: int | None = None
    """Calls it works on at a time; more wait in it."""
    n_parameters: int | None = None
    size_bytes: int | None = None
    """Of the weights, as loaded."""
    precision: str | None = None
    """Of most weights, such as ``q8_0``."""
    version: str | None = None
    """Of the engine's program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLoad:
    """How busy an engine is. What it does not report is ``None``."""

    n_running: int | None = None
    n_waiting: int | None = None
    input_tokens: int | None = None
    """Since it started."""
    output_tokens: int | None = None
    """Since it started."""
    memory_bytes: int | None = None
    """Resident memory of its processes."""


class Engine(Protocol):
    """One running model server, started by Trimtab or found running. One process serves one base and its adapters.

    Every implementation passes ``tests/support/engine_suite.py``. All coroutines raise ``EngineError`` when the engine
    fails; the message says which one and what it last wrote.
    """

    @property
    def name(self) -> str:
        """The engine's name, which is also its provider's in the pool."""
        ...

    @property
    def endpoint(self) -> Endpoint:
        """Where it answers; known before it is ready, and the same after a restart."""
        ...

    @property
    def models(self) -> tuple[str, ...]:
        """Names that it is configured to answer to, adapters included; empty when it serves whatever it has."""
        ...

    async def start(self) -> None:
        """Begin. Returns before the model is loaded; an engine that runs by itself has nothing to do here."""
        ...

    async def wait_ready(self, timeout_s: float) -> EngineFacts:
        """Return once it answers.

        Raises:
            EngineError: it ended, or did not answer in time; it is stopped then.
        """
        ...

    async def wait_ended(self) -> str:
        """Return, in words, how it ended by itself; an engine that Trimtab did not start never does."""
        ...

    async def is_healthy(self) -> bool:
        """Return whether it answers now."""
        ...

    async def load(self) -> EngineLoad:
        """Return how busy it is."""
        ...

    async def add_adapter(self, adapter: Adapter) -> None:
        """Serve one more adapter without a restart.

        Raises:
            EngineError: this kind of engine takes adapters only when it starts, or refused this one.
        """
        ...

    async def remove_adapter(self, name: str) -> None:
        """Serve it no more.

        Raises:
            EngineError: as for :meth:`add_adapter`.
        """
        ...

    def body_fields(self, model: str) -> Mapping[str, object]:
        """Return what a request to ``model`` must carry, over whatever its caller wrote.

        This is how an adapter is chosen where the engine does not go by the model's name, and how the answer of one
        adapter is kept from being computed with another one's cache.
        """
        ...

    async def drain(self, timeout_s: float) -> bool:
        """Wait until nothing is under way; return whether that came in time.

        An engine that was found running and does not say how busy it is returns at once: it runs on, so nothing that
        is under way gets lost.
        """
        ...

    async def stop(self) -> None:
        """End it and everything it started. Twice is once."""
        ...
