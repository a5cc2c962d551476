"""Model files: Hugging Face weights to GGUF, quantization, and proof that both runtimes compute the same."""

from trimtab.serving.gguf.adapting import export_adapter
from trimtab.serving.gguf.description import (
    AdapterInfo,
    GgufInfo,
    check_adapter,
    check_servable,
    read_adapter,
    read_gguf,
)
from trimtab.serving.gguf.exporting import export_model
from trimtab.serving.gguf.parity import (
    LOGPROB_TOLERANCE,
    ParityRow,
    Perplexity,
    Reference,
    compare_logits,
    parity_table,
    perplexity_of,
    reference_of,
)
from trimtab.serving.gguf.precision import GGUF_TYPES, K_QUANTS, GgufType, KQuant
from trimtab.serving.gguf.quantizing import quantize
from trimtab.serving.gguf.weights import digest_of, origin_of
from trimtab.serving.gguf.writing import Progress

__all__ = [
    "GGUF_TYPES",
    "K_QUANTS",
    "LOGPROB_TOLERANCE",
    "AdapterInfo",
    "GgufInfo",
    "GgufType",
    "KQuant",
    "ParityRow",
    "Perplexity",
    "Progress",
    "Reference",
    "check_adapter",
    "check_servable",
    "compare_logits",
    "digest_of",
    "export_adapter",
    "export_model",
    "origin_of",
    "parity_table",
    "perplexity_of",
    "quantize",
    "read_adapter",
    "read_gguf",
    "reference_of",
]
