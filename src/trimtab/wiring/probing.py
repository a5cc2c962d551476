"""Probes of configured models: which server a name leads to, one of our own where none runs, and where figures go."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from trimtab.catalog import ModelCard, ProbeResult
from trimtab.control import latest_probes, save_probe
from trimtab.core import SystemClock
from trimtab.core.errors import ConfigurationError
from trimtab.providers import ApiKey, ProviderConfig
from trimtab.serving import (
    Endpoint,
    EngineConfig,
    EngineFacts,
    EngineLoad,
    ProbePlan,
    Target,
    build_engine,
    facts_of,
    probe,
)
from trimtab.store import Database, ProbeStore, open_database
from trimtab.wiring.engine_board import EngineEntry
from trimtab.wiring.engines import board_of
from trimtab.wiring.pool import pool_of, price_book_of
from trimtab.wiring.settings import Settings

_STARTED_HERE = frozenset({"llama_cpp", "vllm"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTarget:
    """A model that can be probed."""

    name: str
    """``provider:model``, or the name of a file that no engine serves."""
    model: str
    """What its server calls it."""
    server: EngineConfig | ProviderConfig
    card: ModelCard | None = None
    """``None`` where ``models:`` does not list it."""
    is_configured: bool = True
    """Whether its figures are kept: a file on its own has no name in the pool to keep them under."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A server that answers."""

    target: Target
    facts: EngineFacts | None = None
    load: Callable[[], Awaitable[EngineLoad]] | None = None
    note: str = ""


def find_target(settings: Settings, text: str, *, slots: int) -> ProbeTarget:
    """Return the model that a word names.

    Args:
        settings: Know engines, providers and models.
        text: ``provider:model``, an alias, or the path of a GGUF file.
        slots: Calls at a time that a file on its own is served with.

    Raises:
        ConfigurationError: nothing goes by that name, or what does speaks no OpenAI protocol.
    """
    if text.endswith(".gguf"):
        return _of_file(settings, Path(text), slots)
    card = pool_of(settings).find(text)
    provider, _, model = (card.name if card is not None else text).partition(":")
    engine = next((each for each in settings.engines if each.name == provider), None)
    if engine is not None and (card is not None or model in engine.model_names):
        return ProbeTarget(name=f"{provider}:{model}", model=model, server=engine, card=card)
    upstream = next((each for each in settings.providers if each.name == provider), None)
    if upstream is not None and card is not None:
        if upstream.kind != "openai":
            raise ConfigurationError(
                f"{text!r} cannot be probed: provider {provider!r} is of kind {upstream.kind!r}.",
                hint="Engines, GGUF files and models of providers of kind 'openai' can.",
            )
        return ProbeTarget(name=card.name, model=card.model, server=upstream, card=card)
    served = [f"{each.name}:{name}" for each in settings.engines for name in each.model_names]
    names = dict.fromkeys([*served, *(each.name for each in settings.models)])
    raise ConfigurationError(
        f"There is no model {text[:128]!r} to probe.",
        hint=f"Configured: {', '.join(names) or 'none'}. The path of a GGUF file, with its ending, does as well.",
    )


def _of_file(settings: Settings, path: Path, slots: int) -> ProbeTarget:
    if not path.is_file():
        raise ConfigurationError(f"There is no file {path}.", hint="Give the path of a GGUF file, or `provider:model`.")
    for engine in settings.engines:
        if engine.path is not None and engine.path.resolve() == path.resolve():
            name = f"{engine.name}:{engine.base_name}"
            return ProbeTarget(
                name=name, model=engine.base_name or "", server=engine, card=pool_of(settings).cards.get(name)
            )
    config = EngineConfig(name="probed", kind="llama_cpp", path=path.absolute(), slots=slots)
    return ProbeTarget(name=path.name, model=path.stem, server=config, is_configured=False)


def estimate_nano_usd(settings: Settings, target: ProbeTarget, plan: ProbePlan) -> int | None:
    """Return the most that a probe may cost: 0 for an engine, whose machine is paid anyway; ``None`` is unknown.

    Raises:
        StoreError: the database cannot be read.
    """
    if isinstance(target.server, EngineConfig):
        return 0
    assert target.card is not None  # a provider's model is always in the pool
    prices = price_book_of(settings, stored_probes(settings))
    return prices.estimate(
        target.card, plan.estimated_input_tokens, plan.estimated_output_tokens, SystemClock().now_us()
    )


async def measure_target(
    settings: Settings, target: ProbeTarget, plan: ProbePlan, on_call: Callable[[int, int], None]
) -> ProbeResult:
    """Probe a model where it answers; where nobody runs its engine, on one of our own that ends with the probe.

    Args:
        settings: Know where the running service keeps its board.
        target: Which model.
        plan: How much.
        on_call: Told of calls done, and of how many.

    Raises:
        ConfigurationError: an engine cannot be built as configured, or the calls do not fit into its context.
        EngineError: it does not start, or answers no chat.
        UpstreamUnavailable: a provider's key cannot be read.
    """
    async with _opened(settings, target) as found:
        result = await probe(
            found.target,
            plan,
            name=target.name,
            clock=SystemClock(),
            facts=found.facts,
            load=found.load,
            context_tokens=None if target.card is None else target.card.context_tokens,
            on_call=on_call,
        )
    return msgspec.structs.replace(result, notes=(found.note, *result.notes)) if found.note else result


@asynccontextmanager
async def _opened(settings: Settings, target: ProbeTarget) -> AsyncIterator[_Open]:
    if isinstance(target.server, ProviderConfig):
        yield _provider(target.server, target.model)
        return
    board = board_of(settings)
    board.refresh()
    entry = board.entries.get(target.server.name) if target.is_configured else None
    if entry is not None and entry.is_ready and target.server.kind in _STARTED_HERE:
        key_file = board.key_file(target.server.name)
        yield _running(target, entry, key_file.read_text("utf-8") if entry.has_key else None)
        return
    engine = build_engine(target.server, logs=settings.data_dir / "logs" / "probes")
    try:
        await engine.start()
        facts = await engine.wait_ready(target.server.ready_timeout_s)
        fields = engine.body_fields(target.model)
        yield _Open(Target(endpoint=engine.endpoint, model=target.model, body_fields=fields), facts, engine.load)
    finally:
        await engine.stop()


def _provider(config: ProviderConfig, model: str) -> _Open:
    endpoint = Endpoint(
        base_url=config.base_url or "",
        api_key=ApiKey(config).current(time.monotonic()),
        label=f"provider {config.name!r}",
    )
    return _Open(
        Target(
            endpoint=endpoint,
            model=model,
            body_fields=config.body_fields.get(model, {}),
            headers=config.headers,
            ca_file=config.ca_file,
        )
    )


def _running(target: ProbeTarget, entry: EngineEntry, key: str | None) -> _Open:
    assert isinstance(target.server, EngineConfig)
    config, file = target.server, facts_of(target.server)
    endpoint = Endpoint(base_url=entry.base_url, api_key=key, label=f"engine {config.name!r}")
    facts = EngineFacts(
        models=config.model_names,
        capabilities=frozenset({"chat", "streaming"}),
        context_tokens=config.context_tokens if file is None else file.context_tokens,
        slots=config.slots,
        n_parameters=None if file is None else file.n_parameters,
        precision=None if file is None else file.precision,
    )
    return _Open(
        Target(endpoint=endpoint, model=target.model, body_fields=entry.body_fields.get(target.model, {})),
        facts,
        note="Measured on the engine of the running service, callers' load included; its memory is not known here.",
    )


def keep_probe(settings: Settings, result: ProbeResult) -> None:
    """Keep a probe in the database, where routing, prices and `models list` find it.

    Raises:
        StoreError: the database cannot be opened or written.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _database(settings) as database:
        save_probe(ProbeStore(database), result)


def stored_probes(settings: Settings) -> dict[str, ProbeResult]:
    """Return the newest probe of each model; of a database that is not there, none, and it is not made.

    Raises:
        StoreError: the database cannot be read.
    """
    url = settings.database_url
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return {}
    with _database(settings) as database:
        return latest_probes(ProbeStore(database))


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    database = open_database(settings.database_url)
    try:
        yield database
    finally:
        database.close()
