"""Whether two runtimes, or two precisions, compute the same: transformers as the reference, llama.cpp beside it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from trimtab.core.errors import InvalidRequest
from trimtab.serving.gguf.adapting import Lora, read_loras
from trimtab.serving.gguf.description import read_gguf
from trimtab.serving.gguf.logprobs import LlamaCpp, load
from trimtab.serving.gguf.needed import require
from trimtab.serving.gguf.shape import read_shape

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    Logprobs = npt.NDArray[np.float64]

LOGPROB_TOLERANCE: Final = {"f32": 1e-3, "f16": 5e-2, "bf16": 2.5e-1}
"""Largest difference of a log-probability that counts as the same model. ``f32`` differs by the order of additions
alone (measured: 8e-6). llama.cpp multiplies 16-bit weights by activations rounded to the same 11 or 8 significant bits,
and on random models of this family that came to 1.5e-2 and 1e-1. Quantized files are not the same model: their
differences are reported, and whether they are good enough is a question for a suite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What the original says about some texts."""

    texts: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...]
    """Of each text, by its own tokenizer."""
    logprobs: "tuple[Logprobs, ...]"
    """Of each text: (n_tokens - 1, n_vocabulary), after each token but the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityRow:
    """How close a file comes to its reference."""

    name: str
    precision: str
    n_positions: int
    """Next-token distributions compared."""
    same_tokens: bool
    """Both tokenizers cut every text alike."""
    max_logprob_difference: float
    """Over all positions and tokens whose probability by the reference is at least e⁻¹⁵; natural logarithm."""
    mean_kl: float
    """Mean Kullback-Leibler divergence of the file from the reference, in nats a token."""
    top1_agreement: float
    """Fraction of positions where both hold the same token for the likeliest."""
    reference_perplexity: float
    perplexity: float

    @property
    def is_within_tolerance(self) -> bool | None:
        """Whether it is the same model by ``LOGPROB_TOLERANCE``; ``None`` for quantized files, which have none."""
        tolerance = LOGPROB_TOLERANCE.get(self.precision)
        return None if tolerance is None else self.same_tokens and self.max_logprob_difference <= tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Perplexity:
    """How well a model predicts texts: e to the mean negative log-probability of their tokens."""

    perplexity: float
    n_tokens: int
    """Tokens predicted: all but the first of each text."""


NEGLIGIBLE_LOGPROB: Final = -15.0
"""Tokens rarer than 3 in 10 million are left out of the largest difference; KL counts them by their weight."""


def reference_of(hf_folder: Path, texts: Sequence[str], *, peft_folder: Path | None = None) -> Reference:
    """Compute with transformers, in 32 bits on the CPU, what a saved model says about texts.

    Args:
        hf_folder: As ``save_pretrained`` writes it.
        texts: Each of at least two tokens.
        peft_folder: A LoRA adapter, added to the weights.

    Raises:
        InvalidRequest: a text is shorter.
        ConfigurationError: torch or transformers is not installed.
    """
    require("numpy", "torch", "transformers")
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(hf_folder, local_files_only=True)
    tokens = [_long_enough(text, tokenizer(text)["input_ids"]) for text in texts]
    model = transformers.AutoModelForCausalLM.from_pretrained(
        hf_folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    )
    model.train(mode=False)
    if peft_folder is not None:
        _add(model, read_loras(peft_folder, read_shape(hf_folder)))
    return Reference(
        texts=tuple(texts), tokens=tuple(tokens), logprobs=tuple(_hf_logprobs(model, ids) for ids in tokens)
    )


def _long_enough(text: str, ids: Sequence[int]) -> tuple[int, ...]:
    if len(ids) < 2:
        raise InvalidRequest(f"A text of {len(text)} characters is {len(ids)} tokens; at least 2 are compared.")
    return tuple(ids)


def _add(model: "torch.nn.Module", loras: Sequence[Lora]) -> None:
    import torch

    with torch.no_grad():
        for lora in loras:
            weight = model.get_submodule(lora.module).weight
            assert isinstance(weight, torch.Tensor)
            product = torch.from_numpy(lora.up.read()) @ torch.from_numpy(lora.down.read())
            weight += lora.scale * product


def _hf_logprobs(model: "torch.nn.Module", ids: Sequence[int]) -> "Logprobs":
    import torch

    with torch.no_grad():
        logits = model(torch.tensor([list(ids)])).logits[0, :-1].double()
    values: Logprobs = torch.log_softmax(logits, dim=-1).numpy()
    return values


def compare_logits(
    reference: Reference,
    files: Mapping[str, Path],
    *,
    adapters: Mapping[str, Path] | None = None,
    threads: int | None = None,
) -> tuple[ParityRow, ...]:
    """Ask llama.cpp about a reference's texts with each file, and measure the differences.

    Every distribution is compared whole, so a vocabulary of 150 000 costs about 15 MB of JSON a token: take a few
    short texts.

    Args:
        reference: Of :func:`reference_of`, with the same adapter where one is used.
        files: Model files by the name of their row.
        adapters: Adapter files by the name of the row that they belong to.
        threads: Processor threads; left out, llama.cpp decides.

    Raises:
        ModelFileInvalid: a file cannot be served, or an adapter does not fit it.
        EngineError: llama.cpp failed.
    """
    over = adapters or {}
    return tuple(_row(name, path, over.get(name), reference, threads) for name, path in files.items())


def parity_table(
    hf_folder: Path,
    files: Mapping[str, Path],
    texts: Sequence[str],
    *,
    peft_folder: Path | None = None,
    adapter: Path | None = None,
    threads: int | None = None,
) -> tuple[ParityRow, ...]:
    """Compare each file with the saved model it was exported from, and again with an adapter over both.

    Args:
        hf_folder: The reference, as ``save_pretrained`` writes it.
        files: Model files by the name of their row; with the adapter the row is called ``NAME + adapter``.
        texts: What is predicted; a few short ones.
        peft_folder: The adapter as PEFT saved it.
        adapter: The same, exported.
        threads: Processor threads of llama.cpp; left out, it decides.

    Raises:
        ModelFileInvalid: a file cannot be served, or the adapter does not fit it.
        EngineError: llama.cpp failed.
    """
    rows = compare_logits(reference_of(hf_folder, texts), files, threads=threads)
    if peft_folder is None or adapter is None:
        return rows
    with_adapter = {f"{name} + adapter": path for name, path in files.items()}
    reference = reference_of(hf_folder, texts, peft_folder=peft_folder)
    return rows + compare_logits(
        reference, with_adapter, adapters=dict.fromkeys(with_adapter, adapter), threads=threads
    )


def _row(name: str, path: Path, adapter: Path | None, reference: Reference, threads: int | None) -> ParityRow:
    import numpy as np

    context = max(map(len, reference.tokens))
    with load(path, adapter=adapter, context_tokens=context, threads=threads) as runtime:
        own_tokens = [tuple(runtime.tokens_of(text)) for text in reference.texts]
        found = np.concatenate([_gguf_logprobs(runtime, ids) for ids in reference.tokens])
    wanted = np.concatenate(reference.logprobs)[:, : found.shape[1]]
    targets = np.concatenate([np.array(ids[1:]) for ids in reference.tokens])
    places = np.arange(len(targets))
    chances = np.exp(wanted)
    return ParityRow(
        name=name,
        precision=read_gguf(path).precision,
        n_positions=len(targets),
        same_tokens=own_tokens == list(reference.tokens),
        max_logprob_difference=float(np.max(np.abs(wanted - found), where=wanted > NEGLIGIBLE_LOGPROB, initial=0.0)),
        mean_kl=float(np.mean(np.sum(chances * (wanted - found), axis=1))),
        top1_agreement=float(np.mean(wanted.argmax(axis=1) == found.argmax(axis=1))),
        reference_perplexity=math.exp(-float(np.mean(wanted[places, targets]))),
        perplexity=math.exp(-float(np.mean(found[places, targets]))),
    )


def _gguf_logprobs(runtime: LlamaCpp, ids: Sequence[int]) -> "Logprobs":
    import numpy as np

    return np.stack([runtime.next_logprobs(ids[:count]) for count in range(1, len(ids))])


def perplexity_of(
    path: Path,
    texts: Sequence[str],
    *,
    after: Sequence[str] | None = None,
    adapter: Path | None = None,
    threads: int | None = None,
) -> Perplexity:
    """Measure how well a model file predicts texts, with llama.cpp.

    Args:
        path: The model.
        texts: Each of at least two tokens by the model's own tokenizer.
        after: What stands before each text and is not to be predicted, such as a prompt; a model that was tuned on
            answers alone has nothing to say about prompts.
        adapter: A LoRA adapter made for it.
        threads: Processor threads; left out, llama.cpp decides.

    Raises:
        InvalidRequest: a text is shorter, or all of them are longer than the model's context.
        ModelFileInvalid: the file cannot be served.
        EngineError: llama.cpp failed.
    """
    given = after if after is not None else [""] * len(texts)
    longest = max((len((before + text).encode()) for before, text in zip(given, texts, strict=True)), default=0)
    context = longest + 2  # a token is at least a byte
    context = min(context, read_gguf(path).context_tokens or context)
    logprobs = []
    with load(path, adapter=adapter, context_tokens=context, threads=threads) as runtime:
        for before, text in zip(given, texts, strict=True):
            ids = _long_enough(text, runtime.tokens_of(before + text))
            first = max(1, len(runtime.tokens_of(before))) if before else 1
            logprobs += [runtime.logprob_of(ids[count], ids[:count]) for count in range(first, min(len(ids), context))]
    if not logprobs:
        raise InvalidRequest("No text was given to predict.")
    return Perplexity(perplexity=math.exp(-math.fsum(logprobs) / len(logprobs)), n_tokens=len(logprobs))
