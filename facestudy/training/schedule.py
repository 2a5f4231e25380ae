"""The learning rate, epoch by epoch."""

import math

from facestudy.project.sections import Recipe


def learning_rate(recipe: Recipe, epoch: int, epochs: int) -> float:
    """The rate of an epoch, 1 to `epochs`: constant, or half a cosine from lr towards 0."""
    if recipe.schedule == "constant":
        return recipe.lr
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * (epoch - 1) / epochs))
