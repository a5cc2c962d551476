"""A byte-level BPE ``tokenizer.json`` in the form llama.cpp reads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TypeVar

import msgspec

from trimtab.core.errors import ModelFileInvalid
from trimtab.serving.gguf.pretokenizing import Splitter, Step, recognize


class TokenType(IntEnum):
    """What llama.cpp may do with a token; the numbers are part of the file format."""

    NORMAL = 1
    CONTROL = 3
    """Matched in a template, never in what a user wrote."""
    USER_DEFINED = 4
    """Matched everywhere, before the text is split."""
    UNUSED = 5


class _Normalizer(msgspec.Struct, frozen=True):
    type: str
    normalizers: list["_Normalizer"] = []


class _Model(msgspec.Struct, frozen=True, kw_only=True):
    type: str = "BPE"
    vocab: dict[str, int] | list[msgspec.Raw]
    merges: list[str | tuple[str, str]] = []
    byte_fallback: bool = False
    ignore_merges: bool = False
    dropout: float | None = None
    continuing_subword_prefix: str | None = None
    end_of_word_suffix: str | None = None


class _Added(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    content: str
    special: bool = False
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False


class _Template(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    single: list[dict[str, msgspec.Raw]] = []
    processors: list["_Template"] = []


class _Tokenizer(msgspec.Struct, frozen=True, kw_only=True):
    model: _Model
    added_tokens: list[_Added] = []
    normalizer: _Normalizer | None = None
    pre_tokenizer: Step | None = None
    post_processor: _Template | None = None


class _Named(msgspec.Struct, frozen=True):
    content: str


_Token = str | _Named | None


class _ChatTemplate(msgspec.Struct, frozen=True):
    name: str
    template: str


class _TokenizerConfig(msgspec.Struct, frozen=True, kw_only=True):
    bos_token: _Token = None
    eos_token: _Token = None
    pad_token: _Token = None
    unk_token: _Token = None
    chat_template: str | list[_ChatTemplate] | None = None


class _Generation(msgspec.Struct, frozen=True):
    eos_token_id: int | list[int] | None = None


_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Tokens, merges and what surrounds a text."""

    splitter: str
    """``tokenizer.ggml.pre``."""
    tokens: tuple[str, ...]
    """By id; ids that the tokenizer leaves out have a name that no text contains."""
    types: tuple[int, ...]
    merges: tuple[str, ...]
    special_ids: Mapping[str, int]
    """``bos``, ``eos``, ``pad`` and ``unk``, those that there are, and ``eot`` for a second token that ends a turn."""
    adds_bos: bool
    adds_eos: bool
    chat_template: str | None
    notes: tuple[str, ...]
    """What differs from the tokenizer, in sentences."""


def read_vocabulary(
    folder: Path, n_rows: int, *, default_ids: Mapping[str, int], end_ids: Sequence[int] = ()
) -> Vocabulary:
    """Read ``tokenizer.json`` and what lies beside it.

    Args:
        folder: Holds ``tokenizer.json``; ``tokenizer_config.json``, ``generation_config.json`` and
            ``chat_template.jinja`` are read where they are there.
        n_rows: Rows of the embedding; ids up to it that the tokenizer leaves out are filled.
        default_ids: Special tokens by ``config.json``, for those that the tokenizer's own files do not name.
        end_ids: Tokens that end an answer by ``config.json``.

    Raises:
        ModelFileInvalid: there is no such tokenizer, or llama.cpp would read text differently with it.
    """
    path = folder / "tokenizer.json"
    tokenizer = _decoded(path, _Tokenizer)
    if tokenizer is None:
        raise ModelFileInvalid(
            f"{folder} holds no tokenizer.json: a model file without a tokenizer cannot be served.",
            hint="Save the tokenizer there too; only byte-level BPE in tokenizer.json can be exported.",
        )
    ids = _byte_level_ids(path, tokenizer)
    splitter = recognize(path, tokenizer.pre_tokenizer, takes_whole_words=tokenizer.model.ignore_merges)
    tokens, types = _table(path, tokenizer, ids, n_rows)
    config = _decoded(folder / "tokenizer_config.json", _TokenizerConfig) or _TokenizerConfig()
    specials = _special_ids(folder, config, tokens, default_ids, end_ids)
    begins, ends = _surroundings(tokenizer.post_processor)
    return Vocabulary(
        splitter=splitter.name,
        tokens=tokens,
        types=types,
        merges=tuple(_merges(path, tokenizer.model)),
        special_ids=specials,
        adds_bos=begins,
        adds_eos=ends,
        chat_template=_chat_template(folder, config),
        notes=tuple(_notes(tokenizer, splitter)),
    )


def _decoded(path: Path, kind: type[_Read]) -> _Read | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as exc:
        raise ModelFileInvalid(f"{path} cannot be read: {exc}.", hint="Save the tokenizer again.") from exc


def _byte_level_ids(path: Path, tokenizer: _Tokenizer) -> dict[str, int]:
    model = tokenizer.model
    oddities = [
        f"model type {model.type}" if model.type != "BPE" else "",
        "byte fallback, as SentencePiece has it" if model.byte_fallback else "",
        "dropout" if model.dropout else "",
        "marks inside words" if model.continuing_subword_prefix or model.end_of_word_suffix else "",
        *(f"normalizer {one}" for one in _normalizers(tokenizer.normalizer) if one != "NFC"),
    ]
    odd = next((oddity for oddity in oddities if oddity), None)
    if odd is not None or not isinstance(model.vocab, dict):
        raise ModelFileInvalid(
            f"{path} has {odd or 'a vocabulary with scores'}; only plain byte-level BPE can be exported.",
            hint="Convert other tokenizers with llama.cpp's convert_hf_to_gguf.py.",
        )
    return model.vocab


def _normalizers(normalizer: _Normalizer | None) -> Iterator[str]:
    if normalizer is None:
        return
    if normalizer.type != "Sequence":
        yield normalizer.type
    for inner in normalizer.normalizers:
        yield from _normalizers(inner)


def _table(
    path: Path, tokenizer: _Tokenizer, ids: Mapping[str, int], n_rows: int
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    rows: dict[int, tuple[str, int]] = {number: (text, TokenType.NORMAL) for text, number in ids.items()}
    for added in tokenizer.added_tokens:
        rows[added.id] = (added.content, TokenType.CONTROL if added.special else TokenType.USER_DEFINED)
    highest = max(rows, default=-1)
    if highest >= n_rows:
        raise ModelFileInvalid(
            f"{path} has token {highest} ({rows[highest][0]!r}), but the model embeds {n_rows} tokens.",
            hint="Resize the model's embedding, or give the tokenizer that it was trained with.",
        )
    filled = [rows.get(number, (f"[PAD{number}]", TokenType.UNUSED)) for number in range(n_rows)]
    return tuple(text for text, _ in filled), tuple(int(kind) for _, kind in filled)


def _merges(path: Path, model: _Model) -> Iterator[str]:
    if not model.merges:
        raise ModelFileInvalid(f"{path} has no merges, and llama.cpp refuses such a vocabulary.")
    for merge in model.merges:
        pair = merge if isinstance(merge, str) else f"{merge[0]} {merge[1]}"
        if pair.count(" ") != 1:
            raise ModelFileInvalid(f"{path} has the merge {merge!r}, which is no pair of byte-level tokens.")
        yield pair


def _special_ids(
    folder: Path, config: _TokenizerConfig, tokens: Sequence[str], default_ids: Mapping[str, int], ends: Sequence[int]
) -> dict[str, int]:
    by_text = {text: number for number, text in enumerate(tokens)}
    named = {"bos": config.bos_token, "eos": config.eos_token, "pad": config.pad_token, "unk": config.unk_token}
    texts = {name: token.content if isinstance(token, _Named) else token for name, token in named.items()}
    ids = dict(default_ids) | {name: by_text[text] for name, text in texts.items() if text in by_text}
    generation = _decoded(folder / "generation_config.json", _Generation) or _Generation()
    more = generation.eos_token_id
    all_ends = [*([more] if isinstance(more, int) else more or []), *ends]
    if "eos" not in ids and all_ends:
        ids["eos"] = all_ends[0]
    if "eos" not in ids:
        raise ModelFileInvalid(
            f"{folder} names no token that ends an answer.", hint="Set eos_token in tokenizer_config.json."
        )
    others = [number for number in all_ends if number != ids["eos"]]
    return ids | ({"eot": others[0]} if others else {})


def _surroundings(processor: _Template | None) -> tuple[bool, bool]:
    """Return whether a text gets a token before it, and one after it."""
    if processor is None:
        return False, False
    inner = [_surroundings(one) for one in processor.processors]
    begins = any(one[0] for one in inner) or (bool(processor.single) and "SpecialToken" in processor.single[0])
    ends = any(one[1] for one in inner) or (bool(processor.single) and "SpecialToken" in processor.single[-1])
    return begins, ends


def _chat_template(folder: Path, config: _TokenizerConfig) -> str | None:
    beside = folder / "chat_template.jinja"
    if beside.is_file():
        return beside.read_text(encoding="utf-8")
    if isinstance(config.chat_template, list):
        named = {one.name: one.template for one in config.chat_template}
        return named.get("default")
    return config.chat_template


def _notes(tokenizer: _Tokenizer, splitter: Splitter) -> Iterator[str]:
    if splitter.differs is not None:
        yield splitter.differs
    if "NFC" in _normalizers(tokenizer.normalizer):
        yield "The tokenizer composes characters (NFC) and llama.cpp does not: decomposed text gets other tokens."
    if tokenizer.model.ignore_merges is not splitter.takes_whole_words:
        yield "The tokenizer and llama.cpp differ in whether a word that is a token is taken whole."
    odd = [added.content for added in tokenizer.added_tokens if added.lstrip or added.rstrip or added.single_word]
    if odd:
        yield f"The tokenizer minds the spaces around {len(odd)} tokens, such as {odd[0]}, and llama.cpp does not."
    if _lacks_bytes(tokenizer):
        yield "The vocabulary lacks some single bytes; text with them loses these bytes, here as in the tokenizer."


def _lacks_bytes(tokenizer: _Tokenizer) -> bool:
    vocab = tokenizer.model.vocab
    return not isinstance(vocab, dict) or sum(len(text) == 1 for text in vocab) < 256
