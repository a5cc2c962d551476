r"""Which of llama.cpp's text splitters does what a ``tokenizer.json`` asks for.

llama.cpp knows a splitter by name (``tokenizer.ggml.pre``), not by its expression, so the expression is recognised.
A wrong name is not noticed: the model merely gets worse, which is why an unknown one is refused.
Source: llama.cpp's ``llama-vocab.cpp``; the names are those of its convert_hf_to_gguf.py.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from trimtab.core.errors import ModelFileInvalid

_ENGLISH: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST: Final = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_MIXED_CASE: Final = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+{E}"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*{E}"
)
_SLASHED: Final = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"


class Splitter(NamedTuple):
    """One of llama.cpp's splitters."""

    name: str
    takes_whole_words: bool
    """A word that is a token is taken as it is, whatever the merges say (``ignore_merges``)."""
    differs: str | None = None
    """Where it is known to cut otherwise than the expression."""


# Found by comparing 600 random strings; the other splitters cut all of them alike.
_CAPITALS: Final = "llama.cpp begins a word at A to Z within letters, and not at other capitals: aÄ stays whole."
_BY_EXPRESSION: Final[dict[str, tuple[Splitter, ...]]] = {
    rf"{_ENGLISH}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}|{_REST}": (Splitter("qwen2", False),),
    rf"{_ENGLISH}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}|{_REST}": (
        Splitter("llama-bpe", True),
        Splitter("smaug-bpe", False),
    ),
    _MIXED_CASE.replace("{E}", "") + r"|\p{N}|" + _SLASHED: (Splitter("tekken", True, _CAPITALS),),
    _MIXED_CASE.replace("{E}", _ENGLISH + "?") + r"|\p{N}{1,3}|" + _SLASHED: (Splitter("gpt-4o", False, _CAPITALS),),
}
_GPT2: Final = Splitter("gpt-2", False)
_DIGITS: Final = Splitter("smollm", False)
KNOWN: Final = ("gpt-2", "smollm", "qwen2", "llama-bpe", "smaug-bpe", "tekken", "gpt-4o")


class _Pattern(msgspec.Struct, frozen=True):
    regex: str | None = msgspec.field(name="Regex", default=None)
    text: str | None = msgspec.field(name="String", default=None)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A pre-tokenizer of a ``tokenizer.json``."""

    type: str
    pretokenizers: list["Step"] = []
    pattern: _Pattern | None = None
    behavior: str = ""
    invert: bool = False
    individual_digits: bool = False
    add_prefix_space: bool = False
    use_regex: bool = True


def recognize(path: Path, pre_tokenizer: Step | None, *, takes_whole_words: bool) -> Splitter:
    """Return the splitter that does the same.

    Args:
        path: The tokenizer, for messages.
        pre_tokenizer: As in the file.
        takes_whole_words: The tokenizer's ``ignore_merges``.

    Raises:
        ModelFileInvalid: none is known to; the message names the steps and their expressions.
    """
    steps = _flat(pre_tokenizer)
    candidates = _candidates(steps)
    if not candidates:
        raise ModelFileInvalid(
            f"{path} splits text by {_described(steps)}, which no known splitter of llama.cpp does.",
            hint=f"Known: {', '.join(KNOWN)}. A tokenizer trained with one of these expressions can be exported.",
        )
    return next((one for one in candidates if one.takes_whole_words is takes_whole_words), candidates[0])


def _flat(step: Step | None) -> list[Step]:
    if step is None:
        return []
    if step.type == "Sequence":
        return [inner for part in step.pretokenizers for inner in _flat(part)]
    return [step]


def _candidates(steps: Sequence[Step]) -> tuple[Splitter, ...]:
    if not steps or steps[-1].type != "ByteLevel" or steps[-1].add_prefix_space:
        return ()
    *before, last = steps
    if last.use_regex:
        is_digits = len(before) == 1 and before[0].type == "Digits" and before[0].individual_digits
        return (_DIGITS,) if is_digits else () if before else (_GPT2,)
    if len(before) != 1 or before[0].type != "Split" or before[0].pattern is None:
        return ()
    # The expressions match every character, so keeping the matches and keeping what is between them are the same.
    is_whole = (before[0].behavior, before[0].invert) in {("Isolated", False), ("Removed", True)}
    return _BY_EXPRESSION.get(_canonical(before[0].pattern.regex or ""), ()) if is_whole else ()


def _canonical(expression: str) -> str:
    spelled_out = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
    return expression.replace(spelled_out, _ENGLISH).replace(r"\p{N}{1}|", r"\p{N}|")


def _described(steps: Sequence[Step]) -> str:
    return " then ".join(_named(step) for step in steps) or "nothing"


def _named(step: Step) -> str:
    if step.pattern is not None:
        return f"{step.type} {step.pattern.regex or repr(step.pattern.text)} ({step.behavior})"
    return f"{step.type} with a leading space" if step.add_prefix_space else step.type
