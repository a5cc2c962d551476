"""Trains the embedded pool from nothing: generator, tokenizer, network, loop, export, card. Needs the extra ``lab``."""

from trimtab.lab.training.loop import Training, train_model
from trimtab.lab.training.pool import train_pool
from trimtab.lab.training.recipe import FAST, FAST_FLOOR, LARGE, RECIPES, SMALL, Recipe

__all__ = [
    "FAST",
    "FAST_FLOOR",
    "LARGE",
    "RECIPES",
    "SMALL",
    "Recipe",
    "Training",
    "train_model",
    "train_pool",
]
