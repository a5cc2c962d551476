"""The network: a plain Llama, small."""

from typing import TYPE_CHECKING

from trimtab.lab.training.recipe import Recipe
from trimtab.lab.training.tokenizer import END, PAD, SPECIAL

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM


def build_model(recipe: Recipe) -> "LlamaForCausalLM":
    """Return the untrained model of a recipe; the same seed gives the same weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(recipe.seed)
    config = LlamaConfig(
        vocab_size=recipe.vocabulary_size,
        hidden_size=recipe.width,
        intermediate_size=recipe.feed_forward_width,
        num_hidden_layers=recipe.n_layers,
        num_attention_heads=recipe.n_heads,
        num_key_value_heads=recipe.n_heads,
        max_position_embeddings=recipe.context_tokens,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=SPECIAL.index(END),
        pad_token_id=SPECIAL.index(PAD),
    )
    model = LlamaForCausalLM(config)
    model.set_attn_implementation("eager")  # the fused one is slower at a hundred tokens on a processor
    return model
