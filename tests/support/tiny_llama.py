"""Tiny random models of the Llama family with a trained tokenizer, saved as Hugging Face saves them."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3_SPLIT = QWEN2_SPLIT.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)
SPECIALS = ("<|begin|>", "<|end|>", "<|im_start|>", "<|im_end|>")
SENTENCES = (
    "The cheapest model that is good enough serves the call.",
    "Route first, shrink next, tune last: 12 480 requests in 2026.",
    "Größe, naïve café, Ωmega; it's we'll they're I'm you'd don't.",
    "def f(x):\n    return x + 1\n\n\nprint(f(41))\t# 42",
    "数字 123 と絵文字 🙂🙃 and   many   spaces",
)
TEXTS = (
    "The model serves 2026 calls, it's good enough.",
    "def route(x):\n    return tune(x, 12)",
    "Größe café 🙂 and   many spaces",
)
AWKWARD = (
    "",
    " ",
    "1234567890 3.14159 1,000,000",
    "IT'S we'LL don't",
    "emoji 🙂🙃👩‍👩‍👧 flags 🇩🇪",
    "tabs\t\tand\nnew\n\nlines\r\n",
    "   leading and   inner  and trailing   ",
    "ÄÖÜß ñ ç é e\u0301 ﬁ ½ ² ٣ 一二三",
    "<|im_start|>user\nhi<|im_end|>\n",
    "a\u00a0b\u3000c\u200bd",
    "!!!???...;;; --- ===>>> /path/to/file.py:12",
    "mixedCASE camelCase snake_case kebab-case",
    "\x00\x01 control",
)


def save_tokenizer(
    folder: Path,
    *,
    split: str | None = QWEN2_SPLIT,
    digits: bool = False,
    bos: bool = False,
    whole_words: bool = False,
) -> int:
    """Train a byte-level tokenizer on ``SENTENCES``, save it, and return its size."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE(ignore_merges=whole_words))
    by_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=split is None)
    before = (
        [pre_tokenizers.Split(Regex(split), "isolated")]
        if split is not None
        else [pre_tokenizers.Digits(individual_digits=True)]
        if digits
        else []
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*before, by_bytes]) if before else by_bytes
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    if bos:
        begin = tokenizer.token_to_id(SPECIALS[0])
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{SPECIALS[0]} $A", special_tokens=[(SPECIALS[0], begin)]
        )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SPECIALS[0],
        "eos_token": SPECIALS[3],
        "chat_template": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return int(tokenizer.get_vocab_size())


def save_model(
    folder: Path,
    n_vocabulary: int,
    *,
    kind: str = "Llama",
    tied: bool = True,
    dtype: str = "float32",
    seed: int = 7,
    **more: object,
) -> None:
    """Save a random model: 64 wide, 2 layers, 4 heads that share 2 key-value heads."""
    import torch
    import transformers

    settings: dict[str, object] = {
        "vocab_size": n_vocabulary,
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "tie_word_embeddings": tied,
        "bos_token_id": 0,
        "eos_token_id": 3,
        **more,
    }
    config = getattr(transformers, f"{kind}Config")(**settings)
    torch.manual_seed(seed)
    model = getattr(transformers, f"{kind}ForCausalLM")(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            # Wide enough that a wrong order of rows or a missing bias cannot hide behind an even distribution.
            weight.copy_(1.0 + 0.1 * torch.randn_like(weight) if "norm" in name else 0.15 * torch.randn_like(weight))
    model.to(getattr(torch, dtype)).save_pretrained(folder)


def save_adapter(
    folder: Path,
    *,
    n_layers: int = 2,
    rank: int = 4,
    seed: int = 3,
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    **more: object,
) -> None:
    """Save a random PEFT adapter for a model of :func:`save_model`."""
    sizes = {
        "self_attn.q_proj": (64, 64),
        "self_attn.k_proj": (32, 64),
        "self_attn.v_proj": (32, 64),
        "self_attn.o_proj": (64, 64),
        "mlp.gate_proj": (160, 64),
        "mlp.up_proj": (160, 64),
        "mlp.down_proj": (64, 160),
    }
    random = np.random.default_rng(seed)
    tensors = {}
    for layer in range(n_layers):
        for module, (n_out, n_in) in sizes.items():
            if module.rpartition(".")[2] in targets:
                name = f"base_model.model.model.layers.{layer}.{module}"
                tensors[f"{name}.lora_A.weight"] = (0.1 * random.standard_normal((rank, n_in))).astype(np.float32)
                tensors[f"{name}.lora_B.weight"] = (0.1 * random.standard_normal((n_out, rank))).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": 8, "target_modules": list(targets), "bias": "none", **more}
    (folder / "adapter_config.json").write_text(json.dumps(config))
