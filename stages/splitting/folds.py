"""Cross-validation: what the folds are called in a split, and what each is to a training."""

import pandas as pd

PREFIX = "fold_"


def name(number: int) -> str:
    """What the split of a fold's pictures is called."""
    return f"{PREFIX}{number}"


def seen_by(splits: "pd.Series[str]", seed: int) -> "pd.Series[str]":
    """Each picture's split as the training of a seed sees it: train, validation or test.

    Of k folds it validates on fold `seed` mod k and trains on the others; without folds nothing changes.
    """
    count = splits[splits.str.startswith(PREFIX)].nunique()
    if not count:
        return splits
    own = name(seed % count)
    return splits.map(lambda split: "validation" if split == own else split if split == "test" else "train")
