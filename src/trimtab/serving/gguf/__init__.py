"""Model files: Hugging Face weights to GGUF, quantization, and proof that both runtimes compute the same."""

from trimtab.serving.gguf.description import (
    AdapterInfo,
    GgufInfo,
    check_adapter,
    check_servable,
    read_adapter,
    read_gguf,
)
from trimtab.serving.gguf.exporting import export_model
from trimtab.serving.gguf.precision import GGUF_TYPES, K_QUANTS, GgufType, KQuant
from trimtab.serving.gguf.weights import digest_of, origin_of
from trimtab.serving.gguf.writing import Progress

__all__ = [
    "GGUF_TYPES",
    "K_QUANTS",
    "AdapterInfo",
    "GgufInfo",
    "GgufType",
    "KQuant",
    "Progress",
    "check_adapter",
    "check_servable",
    "digest_of",
    "export_model",
    "origin_of",
    "read_adapter",
    "read_gguf",
]
