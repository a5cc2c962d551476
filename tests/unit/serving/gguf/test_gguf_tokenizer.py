import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.plain_llama import save_plain, tokenizer_json

from trimtab.core.errors import ModelFileInvalid
from trimtab.serving.gguf.pretokenizing import _BY_EXPRESSION, Step, recognize
from trimtab.serving.gguf.vocabulary import TokenType, Vocabulary, read_vocabulary

QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3 = QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
GPT2 = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}


def split(expression: str, behavior: str = "Isolated") -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": expression}, "behavior": behavior, "invert": behavior == "Removed"}


def name_of(*steps: dict[str, Any], takes_whole_words: bool = False) -> str:
    step = msgspec.convert({"type": "Sequence", "pretokenizers": list(steps)}, Step)
    return recognize(Path("tokenizer.json"), step, takes_whole_words=takes_whole_words).name


def test_splitters_are_recognised_by_their_expressions() -> None:
    spelled_out = QWEN2.replace(
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
    )

    assert name_of(GPT2) == "gpt-2"
    assert name_of({"type": "Digits", "individual_digits": True}, GPT2) == "smollm"
    assert name_of(split(QWEN2), BYTES) == "qwen2"
    assert name_of(split(spelled_out), BYTES) == "qwen2"
    assert name_of(split(QWEN2, "Removed"), BYTES) == "qwen2"


def test_llama_3_takes_whole_words_and_its_twin_does_not() -> None:
    assert name_of(split(LLAMA3), BYTES, takes_whole_words=True) == "llama-bpe"
    assert name_of(split(LLAMA3), BYTES, takes_whole_words=False) == "smaug-bpe"


def test_a_splitter_known_to_differ_says_where(tmp_path: Path) -> None:
    expression = next(known for known, ones in _BY_EXPRESSION.items() if ones[0].name == "tekken")
    steps = {"type": "Sequence", "pretokenizers": [split(expression), BYTES]}
    save_plain(tmp_path, tokenizer={"pre_tokenizer": steps, "model": MODEL | {"ignore_merges": True}})

    assert read(tmp_path).notes == (
        "llama.cpp begins a word at A to Z within letters, and not at other capitals: aÄ stays whole.",
    )


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [split(r"\w+"), BYTES],
        [split(QWEN2, "MergedWithNext"), BYTES],
        [split(QWEN2), GPT2],
        [GPT2 | {"add_prefix_space": True}],
        [{"type": "Metaspace"}],
        [{"type": "Digits", "individual_digits": False}, GPT2],
    ],
)
def test_an_unknown_splitter_is_refused(steps: list[dict[str, Any]]) -> None:
    with pytest.raises(ModelFileInvalid, match="no known splitter") as caught:
        name_of(*steps)
    assert caught.value.hint is not None
    assert "qwen2" in caught.value.hint


def test_the_message_names_the_unknown_expression() -> None:
    with pytest.raises(ModelFileInvalid, match=r"Split \\w\+ \(Isolated\) then ByteLevel"):
        name_of(split(r"\w+"), BYTES)


def read(folder: Path, n_rows: int = 264) -> Vocabulary:
    return read_vocabulary(folder, n_rows, default_ids={})


def test_tokens_are_listed_by_id_with_what_may_be_done_with_them(tmp_path: Path) -> None:
    vocabulary = read(save_plain(tmp_path))

    assert vocabulary.tokens[256:262] == ("he", "hel", "<|end|>", "<tool>", "[PAD260]", "[PAD261]")
    assert vocabulary.types[256:261] == (
        TokenType.NORMAL,
        TokenType.NORMAL,
        TokenType.CONTROL,
        TokenType.USER_DEFINED,
        TokenType.UNUSED,
    )
    assert vocabulary.merges == ("h e", "he l")
    assert vocabulary.special_ids == {"eos": 258}
    assert vocabulary.notes == ()


def test_a_second_end_token_ends_a_turn(tmp_path: Path) -> None:
    save_plain(tmp_path)
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [258, 259]}))

    assert read(tmp_path).special_ids == {"eos": 258, "eot": 259}


def test_the_chat_template_lies_beside_or_in_the_configuration(tmp_path: Path) -> None:
    save_plain(tmp_path)
    named = [{"name": "rag", "template": "R"}, {"name": "default", "template": "D"}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|end|>", "chat_template": named}))
    assert read(tmp_path).chat_template == "D"

    (tmp_path / "chat_template.jinja").write_text("J")
    assert read(tmp_path).chat_template == "J"


def test_tokens_around_a_text_come_from_the_template(tmp_path: Path) -> None:
    begin = [{"SpecialToken": {"id": "<|end|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    template = {"type": "TemplateProcessing", "single": begin}
    save_plain(tmp_path, tokenizer={"post_processor": {"type": "Sequence", "processors": [template]}})

    vocabulary = read(tmp_path)
    assert (vocabulary.adds_bos, vocabulary.adds_eos) == (True, False)


def test_composed_characters_are_noted(tmp_path: Path) -> None:
    save_plain(tmp_path, tokenizer={"normalizer": {"type": "NFC"}})

    assert "NFC" in read(tmp_path).notes[0]


def test_tokens_that_mind_spaces_are_noted(tmp_path: Path) -> None:
    added = [{"id": 258, "content": "<|end|>", "special": True, "rstrip": True}]
    save_plain(tmp_path, tokenizer={"added_tokens": added})

    assert "spaces around 1 tokens, such as <|end|>" in read(tmp_path).notes[0]


MODEL = tokenizer_json()["model"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model": MODEL | {"type": "Unigram", "vocab": [["a", 0.0]]}}, "model type Unigram"),
        ({"model": MODEL | {"byte_fallback": True}}, "byte fallback"),
        ({"model": MODEL | {"merges": []}}, "no merges"),
        ({"model": MODEL | {"merges": ["a b c"]}}, "no pair"),
        ({"normalizer": {"type": "Lowercase"}}, "normalizer Lowercase"),
        ({"added_tokens": [{"id": 264, "content": "<x>", "special": True}]}, "has token 264"),
        ({"added_tokens": []}, "no token that ends an answer"),
        ({"model": 7}, "cannot be read"),
    ],
)
def test_a_tokenizer_that_llama_cpp_would_read_differently_is_refused(
    tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    with pytest.raises(ModelFileInvalid, match=message):
        read(save_plain(tmp_path, tokenizer=changed))


def test_a_missing_tokenizer_is_refused(tmp_path: Path) -> None:
    save_plain(tmp_path)
    (tmp_path / "tokenizer.json").unlink()

    with pytest.raises(ModelFileInvalid, match="cannot be served"):
        read(tmp_path)
