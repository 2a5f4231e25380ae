"""The stages of dvc.yaml, and what they share."""

import gc

# Imports make objects that stay. At Python's own threshold of 700 the collector goes through those of torch again and
# again, which is a quarter of a stage's start. `errors.main` sets one for the work.
gc.set_threshold(1_000_000)
