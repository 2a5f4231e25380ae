"""A model's errors on the validation pictures, the most confident first."""

import pandas as pd


def validation_errors(predictions: pd.DataFrame) -> pd.DataFrame:
    """The wrong rows of predictions.csv, and in the column `probability` what the predicted class was given."""
    validation = predictions[predictions["split"] == "validation"]
    errors = validation[validation["truth"] != validation["prediction"]]
    probability = [float(row[f"p_{row['prediction']}"]) for _, row in errors.iterrows()]
    errors = errors.assign(probability=pd.Series(probability, index=errors.index, dtype=float))
    return errors.sort_values(["probability", "file"], ascending=[False, True], ignore_index=True)
