"""``trimtab models export``: Hugging Face weights as a GGUF file, compared with the original."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.filters import JsonOption
from trimtab.control import local_operator
from trimtab.core.errors import ConfigurationError
from trimtab.serving.gguf import (
    GGUF_TYPES,
    LOGPROB_TOLERANCE,
    GgufInfo,
    ParityRow,
    compare_logits,
    digest_of,
    export_adapter,
    export_model,
    quantize,
    reference_of,
)
from trimtab.wiring import register_exported

TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "Order 4711: 3 chairs at 49.50 EUR each, delivered on 2026-03-14.",
    "def add(a, b):\n    return a + b\n",
)
"""Compared where no other texts are given: prose, figures, code."""


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was written, and how close it comes to the original."""

    path: str
    digest: str
    """sha256 of the file."""
    adapter_path: str | None
    adapter_digest: str | None
    parity: list[ParityRow]
    """Empty where nothing was compared."""
    is_same_model: bool | None
    """Whether every unquantized file is within the tolerance; ``None`` where nothing was compared."""


def export(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="As `save_pretrained` writes it, Llama family.")],
    to: Annotated[str, typer.Option("--to", metavar="TYPE", help=f"One of {', '.join(GGUF_TYPES)}.")] = "f16",
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="FOLDER-TYPE.gguf by default.")] = None,
    adapter: Annotated[
        Path | None, typer.Option("--adapter", metavar="FOLDER", help="A PEFT LoRA adapter to export as well.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare every next-token distribution with transformers' own.")
    ] = False,
    also: Annotated[
        str, typer.Option("--also", metavar="TYPE,…", help="With --verify: precisions to compare beside it.")
    ] = "",
    texts: Annotated[
        Path | None, typer.Option("--texts", metavar="FILE", help="With --verify: texts, one a line.")
    ] = None,
    json: JsonOption = False,
) -> int:
    """Write a GGUF file that llama.cpp serves. With --verify, exits 1 when it is not the same model any more."""
    if to not in GGUF_TYPES:
        raise ConfigurationError(f"{to!r} is no type to export to.", hint=f"One of {', '.join(GGUF_TYPES)}.")
    target = out or folder.parent / f"{folder.resolve().name}-{to}.gguf"
    progress = output.Progress()
    model = export_model(
        folder,
        target,
        dtype=to,
        progress=lambda done, total: progress.update(f"tensor {done} of {total}"),
    )
    adapter_path = None
    if adapter is not None:
        adapter_path = target.with_name(f"{target.stem}-{adapter.resolve().name}.gguf")
        export_adapter(adapter, folder, adapter_path, base=model)
    progress.clear()
    variants = [model, *_variants(folder, target, also)] if verify else [model]
    parity = _parity(folder, variants, adapter, adapter_path, texts) if verify else []
    by_file = {
        info.path.stem: [row for row in parity if row.name.split(" + ")[0] == info.path.stem] for info in variants
    }
    register_exported(
        invocation_of(context).settings(), variants, by_file, adapter=adapter_path, actor=local_operator().actor
    )
    judged = [row.is_within_tolerance for row in parity if row.is_within_tolerance is not None]
    exported = Exported(
        path=str(target),
        digest=digest_of(target),
        adapter_path=None if adapter_path is None else str(adapter_path),
        adapter_digest=None if adapter_path is None else digest_of(adapter_path),
        parity=parity,
        is_same_model=all(judged) if judged else None,
    )
    if json:
        output.print_json(exported)
    else:
        _print(exported)
    return 1 if exported.is_same_model is False else 0


def _variants(folder: Path, target: Path, also: str) -> Iterator[GgufInfo]:
    for word in filter(None, (word.strip() for word in also.split(","))):
        yield quantize(target, target.with_name(f"{folder.resolve().name}-{word}.gguf"), word)


def _parity(
    folder: Path, variants: Sequence[GgufInfo], adapter: Path | None, adapter_path: Path | None, texts: Path | None
) -> list[ParityRow]:
    """Compare the file, and variants of it, with the original, without and with the adapter."""
    lines = TEXTS if texts is None else tuple(line for line in texts.read_text().splitlines() if line.strip())
    files = {info.path.stem: info.path for info in variants}
    rows = list(compare_logits(reference_of(folder, lines), files))
    if adapter is not None and adapter_path is not None:
        named = {f"{name} + {adapter.resolve().name}": path for name, path in files.items()}
        reference = reference_of(folder, lines, peft_folder=adapter)
        rows += compare_logits(reference, named, adapters=dict.fromkeys(named, adapter_path))
    return rows


def _print(exported: Exported) -> None:
    output.print_line(f"wrote {exported.path}  sha256 {exported.digest[:12]}")
    if exported.adapter_path is not None:
        output.print_line(f"wrote {exported.adapter_path}  sha256 {(exported.adapter_digest or '')[:12]}")
    if not exported.parity:
        return
    print_parity(exported.parity)


def print_parity(rows: Sequence[ParityRow]) -> None:
    """Print how close files come to their original."""
    columns = ["File", ">Positions", "Same tokens", ">Max difference", ">Allowed", ">KL, nats", ">Same top"]
    output.print_table([*columns, ">Perplexity", ">Original's", "Same model"], map(_row, rows))


def _row(row: ParityRow) -> list[output.Cell]:
    allowed = LOGPROB_TOLERANCE.get(row.precision)
    verdict = row.is_within_tolerance
    return [
        row.name,
        row.n_positions,
        "yes" if row.same_tokens else "NO",
        f"{row.max_logprob_difference:.2g}",
        None if allowed is None else f"{allowed:g}",
        f"{row.mean_kl:.2g}",
        f"{row.top1_agreement:.1%}",
        f"{row.perplexity:.3f}",
        f"{row.reference_perplexity:.3f}",
        "a suite decides" if verdict is None else "yes" if verdict else "NO",
    ]
