"""What an administrator says about an engine."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

EngineKind = Literal["llama_cpp", "openai", "ollama", "vllm"]
STARTED_HERE: frozenset[EngineKind] = frozenset({"llama_cpp", "vllm"})
_FOUND: frozenset[EngineKind] = frozenset({"openai", "ollama"})
_KINDS_OF: Mapping[str, frozenset[EngineKind]] = {
    "path": STARTED_HERE,
    "context_tokens": STARTED_HERE,
    "slots": STARTED_HERE,
    "threads": STARTED_HERE,
    "gpu_layers": frozenset({"llama_cpp"}),
    "embeddings": frozenset({"llama_cpp"}),
    "max_memory_mb": frozenset({"llama_cpp"}),
    "api_key_env": _FOUND,
    "keep_alive": frozenset({"ollama"}),
    "pull": frozenset({"ollama"}),
    "command": frozenset({"vllm"}),
}
"""Kinds that read a setting, of those that not every kind reads."""
_DURATION = re.compile(r"-?\d+|-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+")  # as Go writes them; a bare number is seconds
NAME = r"^[a-z0-9][a-z0-9_.-]{0,63}$"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class AdapterConfig(_Section):
    """A LoRA adapter, served as a model of its own beside its base."""

    name: str = Field(min_length=1, max_length=128)
    """What the pool calls it: a model of this engine's provider."""
    path: Path
    """A GGUF adapter for llama.cpp, a PEFT folder for vLLM."""


class EngineConfig(_Section):
    """One local engine. It is a provider of the pool under its name; ``models:`` lists what it serves."""

    name: str = Field(pattern=NAME)
    """First half of ``provider:model``."""
    kind: EngineKind
    """``llama_cpp`` and ``vllm`` are started here, ``ollama`` and ``openai`` are found running."""
    model: str | None = None
    """The one name it serves its base under. Left out: the file's name without ``.gguf``, or whatever it has."""
    path: Path | None = None
    """``llama_cpp``: a GGUF file. ``vllm``: a folder of weights."""
    base_url: str | None = None
    """``openai`` and ``ollama``: where it answers, with ``/v1``."""
    api_key_env: str | None = None
    """``openai`` and ``ollama``: name of the environment variable that holds its key."""
    adapters: tuple[AdapterConfig, ...] = ()
    """``llama_cpp`` and ``vllm``: LoRA adapters to serve beside the base."""
    context_tokens: int | None = Field(default=None, ge=64)
    """Longest call, input and output together; left out: what the model was trained for."""
    slots: int = Field(default=4, ge=1, le=256)
    """Calls worked on at a time; more wait in order of arrival, each until its deadline."""
    threads: int | None = Field(default=None, ge=1, le=1024)
    """Processor threads; left out: as many as the engine thinks best."""
    gpu_layers: int | None = Field(default=None, ge=0)
    """``llama_cpp``: layers held by a GPU; left out: as many as fit."""
    embeddings: bool = False
    """``llama_cpp``: serve embeddings, and no chat."""
    max_memory_mb: int | None = Field(default=None, ge=16)
    """``llama_cpp``: an engine that asks for more ends, and the rest of the pool serves on. Linux only."""
    ready_timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 120.0
    """From its start until it must answer."""
    keep_alive: str | None = None
    """``ollama``: how long it keeps the model loaded after a call, as it writes durations: ``10m``."""
    pull: bool = False
    """``ollama``: fetch the model when it is not there. Off, nothing is downloaded."""
    command: tuple[str, ...] = ()
    """``vllm``: the program and arguments to start instead of ``vllm serve``."""

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, base_url: str | None) -> str | None:
        if base_url is None:
            return None
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("base_url must begin with http:// or https:// and name a host")
        if parts.username is not None or parts.password is not None:
            raise ValueError("base_url holds credentials; use api_key_env")
        if parts.query or parts.fragment:
            raise ValueError("base_url takes no query and no fragment")
        return base_url.rstrip("/")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        started_here = self.kind in STARTED_HERE
        if started_here and self.path is None:
            raise ValueError(f"kind {self.kind!r} needs `path`, the weights to serve")
        if not started_here and self.base_url is None:
            raise ValueError(f"kind {self.kind!r} needs `base_url`")
        if started_here and self.base_url is not None:
            raise ValueError(f"kind {self.kind!r} finds its own address; remove `base_url`")
        if self.adapters and not started_here:
            raise ValueError(f"kind {self.kind!r} brings its own adapters; remove `adapters`")
        for field in sorted(self.model_fields_set):
            if self.kind not in _KINDS_OF.get(field, {self.kind}):
                raise ValueError(f"kind {self.kind!r} has no use for `{field}`; remove it")
        if self.kind == "ollama":
            self._check_ollama()
        if self.embeddings and self.adapters:
            raise ValueError("an engine that serves embeddings takes no adapters")
        names = self.model_names
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"model {twice!r} is served twice")
        return self

    def _check_ollama(self) -> None:
        if self.model is None:
            raise ValueError("kind 'ollama' needs `model`, such as qwen3:4b")
        if self.base_url is not None and not self.base_url.endswith("/v1"):
            raise ValueError("base_url of Ollama ends with /v1, where it speaks OpenAI's protocol")
        if self.keep_alive is not None and not _DURATION.fullmatch(self.keep_alive):
            raise ValueError("keep_alive is a number of seconds or a duration such as 10m; -1 is for ever")

    @property
    def base_name(self) -> str | None:
        """Name of the base model, where one is known."""
        if self.model is not None or self.path is None:
            return self.model
        return self.path.stem if self.path.suffix == ".gguf" else self.path.name

    @property
    def model_names(self) -> tuple[str, ...]:
        """Every model that it is configured to serve, the base first."""
        base = self.base_name
        return (*([base] if base is not None else []), *(adapter.name for adapter in self.adapters))
