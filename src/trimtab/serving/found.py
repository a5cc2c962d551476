"""What the engines that were found running have in common: nobody here starts, ends or restarts them."""

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import NoReturn

from trimtab.core.errors import EngineError
from trimtab.serving.config import EngineConfig
from trimtab.serving.engine import Adapter, Endpoint, EngineFacts, EngineLoad
from trimtab.serving.http import NoAnswer
from trimtab.serving.metrics import wait_idle

_POLL_S = 0.1


class FoundEngine(ABC):
    """The parts of ``trimtab.serving.engine.Engine`` that need no server's own protocol.

    Args:
        config: One with ``base_url``.
    """

    def __init__(self, config: EngineConfig) -> None:
        assert config.base_url is not None  # its configuration was checked
        self.name = config.name
        self._config = config
        self._label = f"engine {config.name!r}"
        key = os.environ.get(config.api_key_env or "") or None
        self._endpoint = Endpoint(base_url=config.base_url.rstrip("/"), api_key=key, label=self._label)
        self._last_silence = ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self._endpoint.base_url!r})"

    @property
    def endpoint(self) -> Endpoint:
        """Where it answers."""
        return self._endpoint

    @property
    def models(self) -> tuple[str, ...]:
        """The model that it is configured for; empty when it serves whatever it has."""
        return self._config.model_names

    async def start(self) -> None:
        """Look for its key; it runs already.

        Raises:
            EngineError: the environment variable that is named for its key is not set.
        """
        name = self._config.api_key_env
        if name is not None and self._endpoint.api_key is None:
            raise EngineError(
                f"{self._label}: {name} is not set.",
                hint=f"Set it in the environment of `trimtab serve`, or remove `api_key_env: {name}`.",
            )

    async def wait_ready(self, timeout_s: float) -> EngineFacts:
        """Return once it answers for its model.

        Raises:
            EngineError: it did not in time, refused the key, or does not have the model.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._facts()
        except TimeoutError as exc:
            raise EngineError(
                f"{self._label}: not ready after {timeout_s:g} s{self._so_far()}",
                hint=f"Is a server running at {self._endpoint.base_url}?",
            ) from exc

    async def wait_ended(self) -> str:
        """Wait for ever: its health is all that is known of it."""
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # never done

    @abstractmethod
    async def is_healthy(self) -> bool:
        """Return whether it answers now."""

    @abstractmethod
    async def load(self) -> EngineLoad:
        """Return how busy it is."""

    async def add_adapter(self, adapter: Adapter) -> None:
        """Refuse: what it serves is the business of whoever runs it."""
        self._refuse_adapter(adapter.name)

    async def remove_adapter(self, name: str) -> None:
        """Refuse, as for adding one."""
        self._refuse_adapter(name)

    def body_fields(self, model: str) -> Mapping[str, object]:
        """Return nothing: models are chosen by their names."""
        return {}

    async def drain(self, timeout_s: float) -> bool:
        """Wait until no call is under way; see :meth:`Engine.drain`."""
        return await wait_idle(self.load, timeout_s)

    async def stop(self) -> None:  # noqa: B027  # as above
        """Do nothing: others may use it."""

    @abstractmethod
    async def _facts(self) -> EngineFacts:
        """Return once it answers; what it says then."""

    def _so_far(self) -> str:
        """Return what is known of a wait that was too long, after its length."""
        return "."

    async def _once_it_answers(self, question: Callable[[], Awaitable[object]]) -> object:
        """Ask until there is an answer.

        Raises:
            EngineError: the key was refused, which waiting does not mend.
        """
        while True:
            try:
                return await question()
            except NoAnswer as exc:
                if exc.status in {401, 403}:
                    raise EngineError(
                        exc.message,
                        hint="Name the environment variable that holds its key as `api_key_env`.",
                    ) from exc
                self._last_silence = exc.message
            await asyncio.sleep(_POLL_S)

    def _refuse_adapter(self, name: str) -> NoReturn:
        raise EngineError(
            f"{self._label}: adapter {name!r} is not Trimtab's to load or unload, since it did not start this server.",
            hint="Load it there; it is served then under the name that the server gives it.",
        )
