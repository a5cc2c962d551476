"""A gateway to ask through: one of this process, with the engines that it needs, or one at an address."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from trimtab.control import policy_in_force
from trimtab.core import SystemClock
from trimtab.core.errors import ConfigurationError, EngineError, TrimtabError
from trimtab.evaluation import is_routed
from trimtab.providers import ProviderConfig, build_provider
from trimtab.store import Database, PolicyStore
from trimtab.wiring.engine_board import EngineBoard
from trimtab.wiring.engines import board_of, running_engines
from trimtab.wiring.evaluating.asker import Asker, InnerWire, OuterWire
from trimtab.wiring.pool import pool_of, price_book_of
from trimtab.wiring.preparing import prepare
from trimtab.wiring.probing import stored_probes
from trimtab.wiring.settings import Settings
from trimtab.wiring.worker import build_worker

_MAX_STARTS = 3
"""An engine that is down after so many starts is not waited for any longer."""
_LOOK_S = 0.05
_FOLDER = "evaluation-"


@asynccontextmanager
async def outer_gateway(
    settings: Settings, url: str, key: str | None, *, sensitivity: str | None = None
) -> AsyncIterator[Asker]:
    """Give a way to ask through a gateway that runs, or any server of OpenAI's form.

    Args:
        settings: Their pool and prices tell what an answer cost, as far as the models are in it.
        url: Its address, with or without ``/v1``.
        key: Sent as a bearer token.
        sensitivity: Label of every request.

    Raises:
        ConfigurationError: the address cannot be used.
    """
    base_url = url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/v1"
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    try:
        config = ProviderConfig(name="gateway", kind="openai", base_url=base_url, headers=headers)
    except ValidationError as exc:
        said = exc.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise ConfigurationError(
            f"The gateway's address or key cannot be used: {said}.", hint="For example --url http://127.0.0.1:4180."
        ) from exc
    provider = build_provider(config)
    try:
        yield Asker(
            wire=OuterWire(provider),
            pool=pool_of(settings),
            prices=price_book_of(settings, stored_probes(settings)),
            sensitivity=sensitivity,
        )
    finally:
        await provider.aclose()


@asynccontextmanager
async def inner_gateway(
    settings: Settings,
    database: Database,
    models: Sequence[str],
    *,
    status_of: Callable[[TrimtabError], int],
    sensitivity: str | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> AsyncIterator[Asker]:
    """Give a way to ask through a gateway of this process; its calls are in the journal under the app ``evaluation``.

    The policy in force holds; where there is none yet, the configured one is put in force as ``trimtab serve`` does.
    Engines of a running service are used, others are started for the time of the block.

    Args:
        settings: The pool.
        database: Opened on them.
        models: Who will be asked; all engines run where policy chooses.
        status_of: Says under which HTTP status the journal keeps a refusal.
        sensitivity: Label of every request.
        say: Told what is waited for.

    Raises:
        ConfigurationError: the pool, an engine or the policy cannot be used.
        EngineError: an engine does not start.
    """
    if policy_in_force(PolicyStore(database, SystemClock())) is None:
        await asyncio.to_thread(prepare, settings)
    needed = settings.model_copy(update={"engines": _needed(settings, models)})
    async with AsyncExitStack() as stack:
        board = board_of(settings)
        if not await _all_answer(board, [engine.name for engine in needed.engines]):
            folder = _own_folder(settings.data_dir / "run")
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            await stack.enter_async_context(running_engines(needed, database, folder=folder))
            board = EngineBoard(folder)
        worker = build_worker(needed, name=f"evaluation-{os.getpid()}", board=board)
        try:
            worker.start()
            await _wait_ready(needed, board, say)
            rulebook = worker.gateway.chooser.rulebook
            yield Asker(
                wire=InnerWire(worker.gateway, status_of),
                pool=rulebook.pool,
                prices=rulebook.prices,
                sensitivity=sensitivity,
            )
        finally:
            await worker.stop()
            await asyncio.to_thread(worker.close)


def _own_folder(parent: Path) -> Path:
    """Return where this process keeps its engines' board, and remove what killed ones left."""
    for left in parent.glob(f"{_FOLDER}*"):
        if not _is_alive(left.name.removeprefix(_FOLDER)):
            shutil.rmtree(left, ignore_errors=True)
    return parent / f"{_FOLDER}{os.getpid()}"


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _needed(settings: Settings, models: Sequence[str]) -> tuple[object, ...]:
    if any(is_routed(model) for model in models):
        return settings.engines
    pool = pool_of(settings)
    providers = {pool.get(model).provider for model in models}
    return tuple(engine for engine in settings.engines if engine.name in providers)


async def _all_answer(board: EngineBoard, engines: Sequence[str]) -> bool:
    """Return whether a running service has these engines; a board that a killed one left behind answers nothing."""
    board.refresh()
    entries: Mapping[str, object] = board.entries
    if not all(name in entries and board.entries[name].is_ready for name in engines):
        return not engines
    return all([await _answers(board.entries[name].base_url) for name in engines])


async def _answers(url: str) -> bool:
    address = urlsplit(url)
    try:
        async with asyncio.timeout(2.0):
            _, writer = await asyncio.open_connection(address.hostname, address.port)
    except OSError:
        return False
    writer.close()
    return True


async def _wait_ready(settings: Settings, board: EngineBoard, say: Callable[[str], None]) -> None:
    started_s = time.monotonic()
    while True:
        board.refresh()
        waiting = []
        for engine in settings.engines:
            entry = board.entries.get(engine.name)
            if entry is not None and entry.is_ready:
                continue
            is_lost = entry is not None and entry.phase != "starting" and entry.n_restarts >= _MAX_STARTS
            if entry is None or is_lost or time.monotonic() - started_s > engine.ready_timeout_s:
                raise EngineError(
                    f"Engine {engine.name!r} does not serve: {(entry and entry.reason) or 'it does not answer.'}",
                    hint="`trimtab check` tries what the configuration says.",
                )
            waiting.append(engine.name)
        if not waiting:
            return
        say(f"waiting for {', '.join(waiting)}")
        await asyncio.sleep(_LOOK_S)
