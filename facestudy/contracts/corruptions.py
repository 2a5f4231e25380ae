"""Corruptions of the validation pictures (Hendrycks and Dietterich, 2019): their names, and what corruptions.csv holds.

params.yaml names them `challenges`.
"""

COLUMNS = {
    "kind": "of corruption, as below",
    "strength": "1 to 5",
    "pictures": "validation pictures",
    "right": "pictures named correctly",
    "accuracy": "0..1",
    "balanced_accuracy": "mean recall of the classes that are there, 0..1; kinds and variants are compared by it",
    "balanced_accuracy_low": "lower end of its 95 % interval, made as in scores.json",
    "balanced_accuracy_high": "upper end",
    "false_positives": "of a binary task",
    "false_negatives": "of a binary task",
}
COMPARED = ["kind", "strength", "balanced_accuracy", "balanced_accuracy_low", "balanced_accuracy_high"]  # by `compare`
TITLES = {
    "block": "a grey block",
    "mask": "a mask over the mouth",
    "eye_band": "a band over the eyes",
    "low_light": "low light",
    "blur": "blur",
    "jpeg": "JPEG compression",
    "low_resolution": "low resolution",
    "rotation": "rotation",
}
OCCLUSIONS = ("block", "mask", "eye_band")
