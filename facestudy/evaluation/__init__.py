"""How good a model is: scores with their intervals, calibration, corrupted pictures, differences between variants.

The stages `evaluate` and `compare` call it; the report takes its levels from it."""
