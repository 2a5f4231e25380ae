"""One training: its loop, its history, and its state on disk, from which it continues where it was killed.

Called by the stage `train`.
"""
