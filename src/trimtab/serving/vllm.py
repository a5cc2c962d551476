"""vLLM as a process of ours, where its program is installed. Adapters come and go while it runs.

After vLLM's documentation (docs.vllm.ai, "vllm serve" and "LoRA Adapters") of versions 0.8 to 0.26.
"""

import asyncio
import json
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trimtab.core.errors import EngineError, ModelFileInvalid
from trimtab.serving.config import EngineConfig
from trimtab.serving.engine import Adapter, Endpoint, EngineFacts, EngineLoad
from trimtab.serving.http import NoAnswer, ask, ask_json
from trimtab.serving.metrics import read_load, wait_idle
from trimtab.serving.process import ChildProcess, check_port, free_port, python_module, resident_bytes

PROGRAM = ("vllm", "serve")
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What ``--max-lora-rank`` takes."""
_POLL_S = 0.1
_LOAD_ADAPTER_S = 120.0
_QUIET = {
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",  # its key protects those addresses like all others below /v1
    "VLLM_NO_USAGE_STATS": "1",  # it reports usage to its makers otherwise
    "VLLM_LOGGING_LEVEL": "WARNING",  # before 0.10 it logs every prompt at INFO
    "HF_HUB_OFFLINE": "1",  # the weights are a folder here: nothing is to be fetched
}


class VllmEngine:
    """Satisfies ``trimtab.serving.engine.Engine``.

    Its own key protects what lies below ``/v1``; its health and metrics answer anyone on this machine.

    Args:
        config: One of kind ``vllm``.
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
        key = secrets.token_urlsafe(24)
        self._endpoint = Endpoint(base_url=f"http://127.0.0.1:{self._port}/v1", api_key=key, label=self._label)
        self._adapters = {each.name: Adapter(name=each.name, path=each.path) for each in config.adapters}
        threads = {} if config.threads is None else {"OMP_NUM_THREADS": str(config.threads)}
        self._child = ChildProcess(
            self._label,
            [*python_module("trimtab.serving.lifeline"), *self._command()],
            log=logs / f"engine-{config.name}.log",
            environment={**_QUIET, **threads, "VLLM_API_KEY": key},
        )

    def __repr__(self) -> str:
        return f"VllmEngine({self.name!r}, {str(self._path)!r})"

    @property
    def endpoint(self) -> Endpoint:
        """Where it answers, the same after a restart."""
        return self._endpoint

    @property
    def models(self) -> tuple[str, ...]:
        """The base, then its adapters, those added later included."""
        return (self._base, *self._adapters)

    @property
    def pid(self) -> int | None:
        """Process id while it runs: of the process that watches over vLLM, and of the group of all its processes."""
        return self._child.pid

    async def start(self) -> None:
        """Check the files and start the process.

        Raises:
            EngineError: vLLM is not installed, a file cannot be read, or its port is taken.
            ModelFileInvalid: the model or an adapter cannot be used.
        """
        if self.pid is not None:
            return
        await asyncio.to_thread(check_vllm, self._config)
        check_port(self._label, self._port)
        await self._child.start()

    async def wait_ready(self, timeout_s: float) -> EngineFacts:
        """Return once the model is loaded and the server answers.

        Raises:
            EngineError: it ended or did not answer in time; it is stopped then.
        """
        ended = asyncio.ensure_future(self._child.wait_ended())
        answered = asyncio.ensure_future(self._facts())
        try:
            async with asyncio.timeout(timeout_s):
                done, _ = await asyncio.wait((ended, answered), return_when=asyncio.FIRST_COMPLETED)
            if ended in done:
                how = f"{self._label} {ended.result()} while it loaded {self._path}. {self._child.tail()}"
                raise EngineError(how.rstrip(), hint=f"More stands in {self._child.log}.")
            return answered.result()
        except TimeoutError as exc:
            await self.stop()
            raise EngineError(
                f"{self._label}: not ready after {timeout_s:g} s. {self._child.tail()}".rstrip(),
                hint="Give it more time with `ready_timeout_s`, or a smaller model.",
            ) from exc
        except EngineError:
            await self.stop()
            raise
        finally:
            for task in (ended, answered):
                task.cancel()
            await asyncio.gather(ended, answered, return_exceptions=True)

    async def wait_ended(self) -> str:
        """Return how the process ended."""
        return await self._child.wait_ended()

    async def is_healthy(self) -> bool:
        """Ask its ``/health``, which answers with an error when its engine has died."""
        try:
            await ask(self._endpoint, "/health")
        except NoAnswer:
            return False
        return True

    async def load(self) -> EngineLoad:
        """Read its metrics."""
        return await read_load(self._endpoint, memory_bytes=resident_bytes(self.pid))

    async def add_adapter(self, adapter: Adapter) -> None:
        """Load it, and again whenever the process was started again.

        Raises:
            EngineError: vLLM was started without adapters, or refused this one.
            ModelFileInvalid: it is no adapter.
        """
        if not self._config.adapters:
            raise EngineError(
                f"{self._label}: vLLM was started without adapters, so {adapter.name!r} was not added.",
                hint="Name one in `adapters:` of the engine and restart the service; others can be added then.",
            )
        if adapter.name in self.models:
            raise EngineError(
                f"{self._label}: it serves a model {adapter.name!r} already.", hint="Choose another name."
            )
        await asyncio.to_thread(_lora_rank, self._label, adapter.path)
        await self._load(adapter)
        self._adapters[adapter.name] = adapter

    async def remove_adapter(self, name: str) -> None:
        """Unload it.

        Raises:
            EngineError: vLLM does not have it.
        """
        if name not in self._adapters:
            raise EngineError(
                f"{self._label}: it has no adapter {name!r}.", hint=f"It has {', '.join(self._adapters) or 'none'}."
            )
        await self._unload(name)
        del self._adapters[name]

    def body_fields(self, model: str) -> Mapping[str, object]:
        """Return nothing: vLLM goes by the model's name, and keeps the caches of adapters apart."""
        return {}

    async def drain(self, timeout_s: float) -> bool:
        """Wait until no call is under way."""
        return await wait_idle(self.load, timeout_s)

    async def stop(self) -> None:
        """End it and all its processes."""
        await self._child.stop()

    @property
    def _base(self) -> str:
        return self._config.model_names[0]

    def _command(self) -> list[str]:
        config = self._config
        command = [
            *(config.command or PROGRAM),
            str(self._path),
            *("--host", "127.0.0.1", "--port", str(self._port)),
            *("--served-model-name", self._base),
            *("--max-num-seqs", str(config.slots)),
            *("--uvicorn-log-level", "warning"),
        ]
        if config.context_tokens is not None:
            command += ["--max-model-len", str(config.context_tokens)]
        if config.adapters:
            rows = [
                json.dumps({"name": each.name, "path": str(each.path), "base_model_name": self._base})
                for each in config.adapters
            ]
            # Without --max-loras calls to different adapters would wait for each other.
            command += ["--enable-lora", "--max-loras", str(len(rows)), "--max-lora-rank", str(self._max_rank())]
            command += ["--lora-modules", *rows]
        return command

    def _max_rank(self) -> int:
        """Return the least that vLLM can be told and that all adapters fit in; what is wrong is said at the start."""
        ranks = []
        for adapter in self._config.adapters:
            try:
                ranks.append(_lora_rank(self._label, adapter.path))
            except (EngineError, ModelFileInvalid):
                continue
        return next((rank for rank in LORA_RANKS if rank >= max(ranks, default=0)), LORA_RANKS[-1])

    async def _facts(self) -> EngineFacts:
        while not await self.is_healthy():
            await asyncio.sleep(_POLL_S)
        rows: list[dict[str, Any]] = (await ask_json(self._endpoint, "models"))["data"]
        base = next((row for row in rows if row["id"] == self._base), {})
        await self._bring_up_to_date({row["id"] for row in rows})
        return EngineFacts(
            models=self.models,
            capabilities=frozenset({"chat", "streaming", "json_object", "json_schema"}),
            context_tokens=base.get("max_model_len"),
            slots=self._config.slots,
            version=await self._version(),
        )

    async def _version(self) -> str | None:
        try:
            return f"vllm {(await ask_json(self._endpoint, '/version'))['version']}"
        except (NoAnswer, KeyError, TypeError):
            return None

    async def _bring_up_to_date(self, served: set[str]) -> None:
        """Load and unload what was added and removed since the process was first started."""
        for name in served - set(self.models):
            await self._unload(name)
        for name in set(self._adapters) - served:
            await self._load(self._adapters[name])

    async def _load(self, adapter: Adapter) -> None:
        await self._change("load_lora_adapter", {"lora_name": adapter.name, "lora_path": str(adapter.path)})

    async def _unload(self, name: str) -> None:
        await self._change("unload_lora_adapter", {"lora_name": name})

    async def _change(self, path: str, body: Mapping[str, object]) -> None:
        try:
            await ask(self._endpoint, path, body, timeout_s=_LOAD_ADAPTER_S)
        except NoAnswer as exc:
            raise EngineError(exc.message, hint=f"More stands in {self._child.log}.") from exc


def check_vllm(config: EngineConfig) -> str:
    """Look at what an engine would start and load; return what it is, for people.

    Raises:
        EngineError: the program is not installed, or a file cannot be read.
        ModelFileInvalid: the model or an adapter cannot be used.
    """
    assert config.path is not None  # its configuration was checked
    label = f"engine {config.name!r}"
    program = (config.command or PROGRAM)[0]
    if shutil.which(program) is None:
        raise EngineError(
            f"{label}: the program {program} is not installed, or not on the PATH.",
            hint="Install vLLM (docs.vllm.ai), name its program in `command:`, or use kind `llama_cpp` without a GPU.",
        )
    if not config.path.is_dir():
        raise EngineError(
            f"{label}: {config.path} is not a folder of weights.",
            hint="Paths of the configuration are relative to its folder.",
        )
    shape = _read(label, config.path / "config.json")
    for adapter in config.adapters:
        _lora_rank(label, adapter.path)
    adapters = f", {len(config.adapters)} adapters" if config.adapters else ""
    return f"{config.path.name}: {shape.get('model_type', 'a model')}{adapters}"


def _lora_rank(label: str, folder: Path) -> int:
    """Return the rank of a PEFT adapter.

    Raises:
        EngineError: its description cannot be read.
        ModelFileInvalid: it is no LoRA adapter, or one that vLLM cannot hold.
    """
    rank = _read(label, folder / "adapter_config.json").get("r")
    if not isinstance(rank, int) or not 0 < rank <= LORA_RANKS[-1]:
        raise ModelFileInvalid(
            f"{label}: {folder} is no LoRA adapter of a rank up to {LORA_RANKS[-1]}.", hint="Give a PEFT folder."
        )
    return rank


def _read(label: str, path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_bytes())
    except OSError as exc:
        raise EngineError(f"{label}: {path} cannot be read: {exc.strerror}.", hint="Give a complete folder.") from exc
    except ValueError as exc:
        raise ModelFileInvalid(f"{label}: {path} is no JSON: {exc}.", hint="Copy the folder again.") from exc
    if not isinstance(said, dict):
        raise ModelFileInvalid(f"{label}: {path} is no JSON object.", hint="Copy the folder again.")
    return said
