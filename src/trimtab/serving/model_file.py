"""What a model file says of itself, before anything is started."""

from dataclasses import dataclass

from trimtab.core.errors import TrimtabError
from trimtab.serving.config import EngineConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """The head of a model file, and what its engine makes of it."""

    n_parameters: int
    precision: str
    """Such as ``f16`` or ``q4_0``."""
    context_tokens: int | None
    """Of one call, input and output together, as the engine is configured."""
    parent_sha256: str | None
    """The file it was quantized from; ``None`` for an original."""


def facts_of(config: EngineConfig) -> FileFacts | None:
    """Return what the file of an engine says; ``None`` for an engine without one, and for a file that says nothing.

    A file that cannot be read is no error here: the engine says so when it starts, and the rest of the pool serves on.
    """
    if config.kind != "llama_cpp" or config.path is None:
        return None
    from trimtab.serving.gguf import read_gguf
    from trimtab.serving.llama_cpp import DEFAULT_CONTEXT_TOKENS

    try:
        info = read_gguf(config.path)
    except (OSError, TrimtabError):
        return None
    trained = info.context_tokens or DEFAULT_CONTEXT_TOKENS
    return FileFacts(
        n_parameters=info.n_parameters,
        precision=info.precision,
        context_tokens=config.context_tokens or min(trained, DEFAULT_CONTEXT_TOKENS),
        parent_sha256=info.parent_sha256,
    )
