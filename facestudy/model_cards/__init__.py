"""A description of a variant's exported models, in the form that model hubs read.

The stage `model_card` calls it."""
