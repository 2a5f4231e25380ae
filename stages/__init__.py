"""The stages of dvc.yaml, and what they share."""

import gc

# Imports make objects that stay. At Python's own threshold of 700 the collector goes through those of torch again and
# again, which is a sixth of a stage's start.
gc.set_threshold(50_000)
