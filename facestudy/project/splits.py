"""Names of splits: train, validation, test, and the folds of a cross-validation."""

import pandas as pd

PREFIX = "fold_"


def fold_name(number: int) -> str:
    """The split of a fold's pictures."""
    return f"{PREFIX}{number}"


def splits_for(splits: "pd.Series[str]", seed: int) -> "pd.Series[str]":
    """Each picture's split in the training of a seed: train, validation or test.

    Of k folds it validates on fold `seed` mod k and trains on the others; without folds nothing changes.
    """
    count = splits[splits.str.startswith(PREFIX)].nunique()
    if not count:
        return splits
    own = fold_name(seed % count)
    return splits.map(lambda split: "validation" if split == own else split if split == "test" else "train")
