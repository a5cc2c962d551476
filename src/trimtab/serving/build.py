"""From configuration to an engine."""

from pathlib import Path

from trimtab.serving.config import EngineConfig
from trimtab.serving.engine import Engine


def build_engine(config: EngineConfig, *, logs: Path) -> Engine:
    """Return the engine that ``config.kind`` names, not yet started.

    Args:
        config: One engine.
        logs: Folder of the logs of engines that are started here.

    Raises:
        EngineError: no free port on loopback.
    """
    if config.kind == "llama_cpp":
        from trimtab.serving.llama_cpp import LlamaCppEngine

        return LlamaCppEngine(config, logs=logs)
    if config.kind == "vllm":
        from trimtab.serving.vllm import VllmEngine

        return VllmEngine(config, logs=logs)
    if config.kind == "ollama":
        from trimtab.serving.ollama import OllamaEngine

        return OllamaEngine(config)
    from trimtab.serving.openai_url import OpenAIEngine

    return OpenAIEngine(config)


def digest_of(path: Path) -> str:
    """Return the sha256 of a model file, 64 hexadecimal digits; it is read in pieces.

    Raises:
        OSError: the file cannot be read.
    """
    from trimtab.serving.gguf import digest_of as digest

    return digest(path)


def check_files(config: EngineConfig) -> str:
    """Look at what an engine that is started here would load; return what it is, for people.

    Raises:
        EngineError: the program that runs it is not installed.
        ModelFileInvalid: a file cannot be used.
    """
    if config.kind == "llama_cpp":
        from trimtab.serving.llama_cpp import check_llama_cpp

        return check_llama_cpp(config)
    from trimtab.serving.vllm import check_vllm

    return check_vllm(config)
