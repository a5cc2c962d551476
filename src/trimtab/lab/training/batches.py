"""What each step learns from: a drill of random tokens first, then fresh cases and exercises without end."""

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from trimtab.lab.office import BASE_STRATA, exercises, office_cases
from trimtab.lab.training.recipe import TOKENIZER_CASES, TOKENIZER_SEED, Recipe, Turn
from trimtab.lab.training.tokenizer import ASSISTANT, END, SPECIAL, USER, chat_text

if TYPE_CHECKING:
    from tokenizers import Tokenizer

DRAWN_AT_A_TIME = 4096
"""Sorted by length together, so that little of a batch is padding."""
_PAD, _USER, _ASSISTANT, _END = range(len(SPECIAL))
assert (SPECIAL[_USER], SPECIAL[_ASSISTANT], SPECIAL[_END]) == (USER, ASSISTANT, END)


class Example(NamedTuple):
    """One conversation in tokens."""

    prompt: list[int]
    answer: list[int]
    """The loss is on these, the end included."""

    @property
    def n_tokens(self) -> int:
        """Both together."""
        return len(self.prompt) + len(self.answer)


Batch = list[Example]


def tokenizer_texts(seed: int = TOKENIZER_SEED) -> Iterator[str]:
    """Yield what the tokenizer is trained on: prompts and answers of the strata the pool is trained on."""
    for case in office_cases("train", TOKENIZER_CASES, seed=seed, strata=BASE_STRATA):
        yield case.prompt
        yield case.expected


def batches(recipe: Recipe, tokenizer: "Tokenizer") -> Iterator[Batch]:
    """Yield the batches of every step; the same recipe and tokenizer give the same ones."""
    sources: dict[Turn, Iterator[Batch]] = {
        "drill": _drills(recipe),
        "exercises": _batches(recipe, lambda seed: _exercises(seed, tokenizer)),
        "cases": _batches(recipe, lambda seed: _cases(recipe, seed, tokenizer)),
    }
    for step in range(recipe.n_steps):
        yield next(sources[recipe.turn(step)])


def _drills(recipe: Recipe) -> Iterator[Batch]:
    """Yield random tokens to be said again, in order."""
    dice = random.Random(recipe.seed)
    for place in count():
        n_tokens = dice.randint(4, 12 if place < recipe.n_short_drill_steps else 32)
        yield [
            _drill([dice.randrange(len(SPECIAL), recipe.vocabulary_size) for _ in range(n_tokens)])
            for _ in range(max(1, recipe.drill_tokens // (2 * n_tokens + 4)))
        ]


def _drill(tokens: list[int]) -> Example:
    return Example([_USER, *tokens, _END, _ASSISTANT], [*tokens, _END])


def _batches(recipe: Recipe, draw: Callable[[int], Iterable[Example]]) -> Iterator[Batch]:
    for place in count():
        seed = recipe.seed * 1_000_000 + place
        found = _cut(sorted(draw(seed), key=lambda each: each.n_tokens), recipe.batch_tokens)
        random.Random(seed).shuffle(found)
        yield from found


def _cases(recipe: Recipe, seed: int, tokenizer: "Tokenizer") -> Iterator[Example]:
    cases = office_cases("train", DRAWN_AT_A_TIME, seed=seed, strata=recipe.strata)
    return _examples([case.prompt for case in cases], [case.expected for case in cases], tokenizer)


def _exercises(seed: int, tokenizer: "Tokenizer") -> Iterator[Example]:
    drawn = exercises(DRAWN_AT_A_TIME, seed=seed)
    return _examples([each.prompt for each in drawn], [each.answer for each in drawn], tokenizer)


def _examples(prompts: list[str], answers: list[str], tokenizer: "Tokenizer") -> Iterator[Example]:
    asked = tokenizer.encode_batch_fast([chat_text(prompt) for prompt in prompts])
    said = tokenizer.encode_batch_fast([answer + END for answer in answers])
    for prompt, answer in zip(asked, said, strict=True):
        yield Example(prompt.ids, answer.ids)


def _cut(examples: list[Example], batch_tokens: int) -> list[Batch]:
    """Cut examples in order of length into batches; what is left over at the end is dropped."""
    found: list[Batch] = []
    batch: Batch = []
    for example in examples:
        if batch and example.n_tokens * (len(batch) + 1) > batch_tokens:
            found.append(batch)
            batch = []
        batch.append(example)
    return found
