"""The learning rate, epoch by epoch."""

import math

from facestudy.project.sections import Recipe

WARMUP_EPOCHS = 2


def learning_rate(recipe: Recipe, epoch: int, epochs: int) -> float:
    """The rate of an epoch, 1 to `epochs`: constant, or half a cosine from lr towards 0.

    `warmup_cosine` takes a third and two thirds of the cosine's rate in the first two epochs, so that the random head's
    large gradients do not spoil pretrained features (Goyal et al., 2017, warm up for large batches in the same way).
    """
    if recipe.schedule == "constant":
        return recipe.lr
    cosine = recipe.lr * 0.5 * (1 + math.cos(math.pi * (epoch - 1) / epochs))
    return cosine * min(1.0, epoch / (WARMUP_EPOCHS + 1)) if recipe.schedule == "warmup_cosine" else cosine
