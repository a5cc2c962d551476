"""llama.cpp through the prebuilt ``xllamacpp`` wheel: one process of ours for one GGUF file and its adapters."""

import asyncio
import importlib.metadata
import importlib.util
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from trimtab.core.errors import EngineError, ModelFileInvalid
from trimtab.serving.config import EngineConfig
from trimtab.serving.engine import Adapter, Endpoint, EngineFacts, EngineLoad
from trimtab.serving.gguf import GgufInfo, check_adapter, check_servable, read_adapter, read_gguf
from trimtab.serving.http import NoAnswer, ask, ask_json
from trimtab.serving.llama_cpp_host import HostAdapter, HostAnswer, HostSpec
from trimtab.serving.metrics import read_load, wait_idle
from trimtab.serving.process import ChildProcess, check_port, free_port, python_module, resident_bytes

HTTP_THREADS = 128
"""Calls that llama.cpp holds open at a time, those that wait for a slot included; each has a thread, which is cheap."""
KEPT_FREE = 8
"""Of these: for health checks and metrics, which must pass while calls wait."""
DEFAULT_CONTEXT_TOKENS = 4096
"""Most that one call gets where nothing else was said: a cache for all that a large model could read fills memory."""
STOP_S = 2.0
"""From being told to end until being made to: it ends at once, save while it loads, which it does not interrupt."""


class LlamaCppEngine:
    """Satisfies ``trimtab.serving.engine.Engine``.

    Args:
        config: One of kind ``llama_cpp``.
        logs: Folder of its log, ``engine-NAME.log``.

    Raises:
        EngineError: no free port on loopback.
    """

    def __init__(self, config: EngineConfig, *, logs: Path) -> None:
        assert config.path is not None  # its configuration was checked
        self.name = config.name
        self._config = config
        self._path = config.path
        self._label = f"engine {config.name!r}"
        self._port = free_port()
        self._endpoint = Endpoint(
            base_url=f"http://127.0.0.1:{self._port}/v1",
            api_key=secrets.token_urlsafe(24),
            label=self._label,
            max_connections=HTTP_THREADS - KEPT_FREE,
        )
        self._adapters = tuple(Adapter(name=each.name, path=each.path) for each in config.adapters)
        self._child = ChildProcess(
            self._label,
            python_module("trimtab.serving.llama_cpp_host"),
            log=logs / f"engine-{config.name}.log",
            speaks=True,
            stop_s=STOP_S,
        )
        self._info: GgufInfo | None = None
        self._has_answered = False

    def __repr__(self) -> str:
        return f"LlamaCppEngine({self.name!r}, {str(self._path)!r})"

    @property
    def endpoint(self) -> Endpoint:
        """Where it answers, the same after a restart."""
        return self._endpoint

    @property
    def models(self) -> tuple[str, ...]:
        """The base, then its adapters."""
        return self._config.model_names

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._child.pid

    async def start(self) -> None:
        """Check the files and start the process.

        Raises:
            EngineError: xllamacpp is not installed, a file cannot be read, its port is taken, or the program
                cannot be started.
            ModelFileInvalid: the model or an adapter cannot be used.
        """
        if self.pid is not None:
            return
        self._info = await asyncio.to_thread(_checked, self._config)
        check_port(self._label, self._port)
        self._has_answered = False
        await self._child.start(msgspec.json.encode(self._spec(self._info)) + b"\n")

    async def wait_ready(self, timeout_s: float) -> EngineFacts:
        """Return once the model is loaded and the server answers.

        Raises:
            EngineError: it ended, refused the model or did not answer in time; it is stopped then.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._answered()
                return await self._facts()
        except TimeoutError as exc:
            await self.stop()
            raise EngineError(
                f"{self._label}: not ready after {timeout_s:g} s. {self._child.tail()}".rstrip(),
                hint="Give it more time with `ready_timeout_s`, or a smaller model.",
            ) from exc
        except EngineError:
            await self.stop()
            raise

    async def wait_ended(self) -> str:
        """Return how the process ended."""
        return await self._child.wait_ended()

    async def is_healthy(self) -> bool:
        """Ask its ``/health``."""
        try:
            await ask(self._endpoint, "/health")
        except NoAnswer:
            return False
        return True

    async def load(self) -> EngineLoad:
        """Read its metrics."""
        return await read_load(self._endpoint, memory_bytes=resident_bytes(self.pid))

    async def add_adapter(self, adapter: Adapter) -> None:
        """Refuse: llama.cpp takes adapters when it starts."""
        raise EngineError(
            f"{self._label}: llama.cpp takes adapters only when it starts, so {adapter.name!r} was not added.",
            hint="Add it to `adapters:` of the engine and restart the service.",
        )

    async def remove_adapter(self, name: str) -> None:
        """Refuse, as for adding one."""
        raise EngineError(
            f"{self._label}: llama.cpp lets go of adapters only when it ends, so {name!r} stays.",
            hint="Remove it from `adapters:` of the engine and restart the service.",
        )

    def body_fields(self, model: str) -> Mapping[str, object]:
        """Choose the adapter, and no other one whatever the caller wrote; see :meth:`Engine.body_fields`."""
        if not self._adapters:
            return {}
        scales = [
            {"id": number, "scale": 1.0 if adapter.name == model else 0.0}
            for number, adapter in enumerate(self._adapters)
        ]
        return {"lora": scales, "cache_prompt": False}

    async def drain(self, timeout_s: float) -> bool:
        """Wait until no call is under way."""
        return await wait_idle(self.load, timeout_s)

    async def stop(self) -> None:
        """End the process."""
        await self._child.stop()

    async def _answered(self) -> None:
        """Wait for the host's one line, which comes once."""
        if self._has_answered:
            return
        line = await self._child.first_line()
        if not line:
            ended = await self._child.wait_ended()
            raise EngineError(
                f"{self._label} {ended} while it loaded {self._path}. {self._child.tail()}".rstrip(),
                hint=self._memory_hint(),
            )
        answer = msgspec.json.decode(line, type=HostAnswer)
        if answer.problem:
            raise EngineError(
                f"{self._label}: {self._path} was refused: {answer.problem}. {self._child.tail()}".rstrip(),
                hint=f"{self._memory_hint()} All that it said stands in {self._child.log}.",
            )
        self._has_answered = True

    def _memory_hint(self) -> str:
        limit = self._config.max_memory_mb
        more = "" if limit is None else f", a `max_memory_mb` above {limit} allows more"
        return f"A smaller `context_tokens` or fewer `slots` need less memory{more}."

    async def _facts(self) -> EngineFacts:
        assert self._info is not None
        meta = (await ask_json(self._endpoint, "models"))["data"][0]["meta"]
        if self._config.embeddings:
            await self._check_embeddings()
        chat = {"embeddings"} if self._config.embeddings else {"chat", "streaming", "json_object", "json_schema"}
        return EngineFacts(
            models=self.models,
            capabilities=frozenset(chat),  # type: ignore[arg-type]  # names of Capability, all
            context_tokens=self._context_tokens(self._info),
            slots=self._config.slots,
            n_parameters=meta.get("n_params"),
            size_bytes=meta.get("size"),
            precision=self._info.precision,
            version=f"xllamacpp {importlib.metadata.version('xllamacpp')}",
        )

    async def _check_embeddings(self) -> None:
        """Ask for one: llama.cpp loads a file that does not say how to pool them, and then refuses every call."""
        try:
            await ask_json(self._endpoint, "embeddings", {"model": self.models[0], "input": "a"})
        except NoAnswer as exc:
            raise EngineError(
                f"{self._label}: {self._path} gives no embeddings. {exc.message}",
                hint="Serve a model that was made for embeddings; its file says how to pool them.",
            ) from exc

    def _context_tokens(self, info: GgufInfo) -> int:
        asked = self._config.context_tokens
        if asked is not None:
            return asked
        return min(info.context_tokens or DEFAULT_CONTEXT_TOKENS, DEFAULT_CONTEXT_TOKENS)

    def _spec(self, info: GgufInfo) -> HostSpec:
        config = self._config
        return HostSpec(
            path=str(self._path),
            name=self.models[0],
            port=self._port,
            api_key=self._endpoint.api_key or "",
            slots=config.slots,
            context_tokens=self._context_tokens(info),
            threads=config.threads,
            gpu_layers=config.gpu_layers,
            embeddings=config.embeddings,
            adapters=[HostAdapter(each.name, str(each.path)) for each in self._adapters],
            http_threads=HTTP_THREADS,
            max_memory_mb=config.max_memory_mb,
        )


def check_llama_cpp(config: EngineConfig) -> str:
    """Look at the files of an engine; return what they hold, for people.

    Raises:
        EngineError: xllamacpp is not installed, or a file cannot be read.
        ModelFileInvalid: the model or an adapter cannot be used.
    """
    info = _checked(config)
    adapters = f", {len(config.adapters)} adapters" if config.adapters else ""
    return f"{info.path.name}: {info.n_parameters / 1e6:,.1f}M parameters, {info.precision}{adapters}"


def _checked(config: EngineConfig) -> GgufInfo:
    if importlib.util.find_spec("xllamacpp") is None:
        raise EngineError(
            f"engine {config.name!r}: llama.cpp is not installed.", hint="`pip install 'trimtab[serving]'` adds it."
        )
    assert config.path is not None  # its configuration was checked
    try:
        info = read_gguf(config.path)
        check_servable(info)
        _check_context(config, info)
        for adapter in config.adapters:
            check_adapter(info, read_adapter(adapter.path))
    except ModelFileInvalid as exc:
        raise ModelFileInvalid(f"engine {config.name!r}: {exc.message}", hint=exc.hint) from exc
    except OSError as exc:
        raise EngineError(
            f"engine {config.name!r}: {exc.filename or config.path} cannot be read: {exc.strerror}.",
            hint="Paths of the configuration are relative to its folder.",
        ) from exc
    return info


def _check_context(config: EngineConfig, info: GgufInfo) -> None:
    asked, trained = config.context_tokens, info.context_tokens
    if asked is not None and trained is not None and asked > trained:
        raise ModelFileInvalid(
            f"{info.path} was trained for {trained:,} tokens, and `context_tokens` asks for {asked:,}.",
            hint="Beyond what it was trained for a model writes nonsense; ask for less or leave `context_tokens` out.",
        )
