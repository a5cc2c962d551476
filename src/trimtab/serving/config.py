"""What an administrator says about an engine."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

EngineKind = Literal["llama_cpp", "openai", "ollama", "vllm"]
NAME = r"^[a-z0-9][a-z0-9_.-]{0,63}$"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


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
    """``openai``: name of the environment variable that holds its key."""
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
    """An engine started here that asks for more ends, and the rest of the pool serves on. Linux only."""
    ready_timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 120.0
    """From its start until it must answer."""
    keep_alive: str | None = None
    """``ollama``: how long it keeps the model loaded after a call, as it writes durations: ``10m``."""
    pull: bool = False
    """``ollama``: fetch the model when it is not there. Off, nothing is downloaded."""
    command: tuple[str, ...] = ()
    """``vllm``: the program and arguments to start instead of ``vllm serve``."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        started_here = self.kind in {"llama_cpp", "vllm"}
        if started_here and self.path is None:
            raise ValueError(f"kind {self.kind!r} needs `path`, the weights to serve")
        if not started_here and self.base_url is None:
            raise ValueError(f"kind {self.kind!r} needs `base_url`")
        if started_here and self.base_url is not None:
            raise ValueError(f"kind {self.kind!r} finds its own address; remove `base_url`")
        if self.kind == "ollama" and self.model is None:
            raise ValueError("kind 'ollama' needs `model`, such as qwen3:4b")
        if self.adapters and not started_here:
            raise ValueError(f"kind {self.kind!r} brings its own adapters; remove `adapters`")
        if self.embeddings and self.adapters:
            raise ValueError("an engine that serves embeddings takes no adapters")
        names = [self.base_name, *(adapter.name for adapter in self.adapters)]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"model {twice!r} is served twice")
        return self

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
