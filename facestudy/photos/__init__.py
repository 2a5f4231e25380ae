"""Picture files as pixels, and which pictures are copies of one another.

Called by sources, faces, splitting and inference.
"""
