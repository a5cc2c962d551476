"""The training loop: Muon for matrices, AdamW for the rest, bfloat16 where it is safe, and a checkpoint a minute."""

import itertools
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trimtab.lab.training.batches import Batch, batches, tokenizer_texts
from trimtab.lab.training.model import build_model
from trimtab.lab.training.needed import require_training
from trimtab.lab.training.recipe import Recipe
from trimtab.lab.training.tokenizer import save_tokenizer, train_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM

Say = Callable[[str], None]
CHECKPOINT: Final = "checkpoint.pt"
_IGNORED: Final = -100


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What one training run took and left."""

    recipe: Recipe
    folder: Path
    """A Hugging Face folder: weights, configuration, tokenizer."""
    n_parameters: int
    n_tokens: int
    """Seen in all steps, padding included."""
    loss: float
    """Mean over the last steps, in nats a token of the answers."""
    cpu_s: float
    wall_s: float


@dataclass(slots=True)
class _Run:
    """Where training stands; what a checkpoint holds besides the weights."""

    step: int = 0
    n_tokens: int = 0
    loss: float = 0.0
    cpu_s: float = 0.0
    wall_s: float = 0.0


def train_model(
    recipe: Recipe,
    folder: Path,
    *,
    say: Say,
    n_threads: int = 2,
    say_every_s: float = 10.0,
    checkpoint_every_s: float = 60.0,
) -> Training:
    """Train a model and save it; a run that was cut off goes on from its last checkpoint in ``folder``.

    Args:
        recipe: What to train. A checkpoint of another recipe is not used.
        folder: Where the model goes.
        say: Called with lines on progress.
        n_threads: Processor threads.
        say_every_s: How often.
        checkpoint_every_s: What a cut costs at most.

    Raises:
        ConfigurationError: torch or another package is not installed.
    """
    require_training()
    import torch

    torch.set_num_threads(n_threads)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer(tokenizer_texts(), recipe.vocabulary_size)
    model = build_model(recipe)
    optimizers = _optimizers(model, recipe)
    run = _resumed(folder / CHECKPOINT, recipe, model, optimizers, say)
    clock = _Clock(run)
    for batch in itertools.islice(batches(recipe, tokenizer), run.step, None):
        loss = _step(model, optimizers, batch, recipe.rate_factor(run.step))
        run.loss = loss if run.step == 0 else 0.98 * run.loss + 0.02 * loss
        run.step += 1
        run.n_tokens += sum(example.n_tokens for example in batch)
        clock.tick()
        if clock.is_due("say", say_every_s):
            say(_progress(recipe, run))
        if clock.is_due("save", checkpoint_every_s):
            _save(folder / CHECKPOINT, recipe, model, optimizers, run)
    clock.tick()
    model.save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return Training(
        recipe=recipe,
        folder=folder,
        n_parameters=sum(weights.numel() for weights in model.parameters()),
        n_tokens=run.n_tokens,
        loss=run.loss,
        cpu_s=run.cpu_s,
        wall_s=run.wall_s,
    )


def _optimizers(model: "LlamaForCausalLM", recipe: Recipe) -> "list[torch.optim.Optimizer]":
    import torch

    # Muon makes an update's directions equally long, which is meant for maps between spaces; the embedding is a table.
    matrices = [weights for name, weights in model.named_parameters() if weights.ndim == 2 and "embed" not in name]
    others = [weights for name, weights in model.named_parameters() if weights.ndim != 2 or "embed" in name]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(matrices, lr=recipe.matrix_rate, weight_decay=recipe.weight_decay),
        torch.optim.AdamW(others, lr=recipe.other_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optimizers


def _step(
    model: "LlamaForCausalLM", optimizers: "list[torch.optim.Optimizer]", batch: Batch, rate_factor: float
) -> float:
    import torch

    tokens, wanted = _tensors(batch)
    # Padding stands on the right and attention looks left, so no mask is needed.
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states = model.model(tokens, use_cache=False).last_hidden_state  # (n_examples, n_tokens, width)
        is_wanted = wanted[:, 1:] != _IGNORED
        logits = model.lm_head(states[:, :-1][is_wanted])  # (n_answer_tokens, vocabulary): only where a loss is
    loss = torch.nn.functional.cross_entropy(logits.float(), wanted[:, 1:][is_wanted])
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it without types
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * rate_factor
        optimizer.step()
        optimizer.zero_grad()
    return float(loss.detach())


def _tensors(batch: Batch) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return tokens and what is to be said at each of their places, both (n_examples, n_tokens)."""
    import torch

    length = max(example.n_tokens for example in batch)
    tokens = torch.zeros(len(batch), length, dtype=torch.long)
    wanted = torch.full((len(batch), length), _IGNORED)
    for place, (prompt, answer) in enumerate(batch):
        end = len(prompt) + len(answer)
        tokens[place, :end] = torch.tensor(prompt + answer)
        wanted[place, len(prompt) : end] = torch.tensor(answer)
    return tokens, wanted


def _progress(recipe: Recipe, run: _Run) -> str:
    left_s = run.wall_s / run.n_tokens * recipe.tokens_left(run.step)
    return (
        f"{recipe.name}: step {run.step:,} of {recipe.n_steps:,}, loss {run.loss:.3f}, "
        f"{run.n_tokens / run.wall_s:,.0f} tokens/s, {left_s / 60:.1f} min left"
    )


class _Clock:
    """Adds time to a run, and says what is due."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._wall_s, self._cpu_s = time.monotonic(), time.process_time()
        self._due_s: dict[str, float] = {}

    def tick(self) -> None:
        wall_s, cpu_s = time.monotonic(), time.process_time()
        self._run.wall_s += wall_s - self._wall_s
        self._run.cpu_s += cpu_s - self._cpu_s
        self._wall_s, self._cpu_s = wall_s, cpu_s

    def is_due(self, what: str, every_s: float) -> bool:
        if self._wall_s < self._due_s.setdefault(what, self._wall_s + every_s):
            return False
        self._due_s[what] = self._wall_s + every_s
        return True


def _save(
    path: Path,
    recipe: Recipe,
    model: "LlamaForCausalLM",
    optimizers: "list[torch.optim.Optimizer]",
    run: _Run,
) -> None:
    """Write a checkpoint that appears only when it is whole."""
    import torch

    part = path.with_suffix(".part")
    torch.save(
        {
            "recipe": asdict(recipe),
            "run": asdict(run),
            "model": model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        },
        part,
    )
    os.replace(part, path)


def _resumed(
    path: Path, recipe: Recipe, model: "LlamaForCausalLM", optimizers: "list[torch.optim.Optimizer]", say: Say
) -> _Run:
    """Return the run of a checkpoint after loading it, or a new one."""
    if not path.exists():
        return _Run()
    import torch

    saved: dict[str, Any] = torch.load(path, weights_only=True)  # a dictionary of four parts, as _save writes it
    if saved["recipe"] != asdict(recipe):
        say(f"{recipe.name}: the checkpoint in {path.parent} is of another recipe and is not used")
        return _Run()
    model.load_state_dict(saved["model"])
    for optimizer, state in zip(optimizers, saved["optimizers"], strict=True):
        optimizer.load_state_dict(state)
    run = _Run(**saved["run"])
    say(f"{recipe.name}: going on at step {run.step:,}")
    return run
