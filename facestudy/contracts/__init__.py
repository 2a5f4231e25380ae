"""What the files between stages hold, as pydantic models: written by one stage, checked when another reads it.

Every package that writes or reads such a file uses them."""
