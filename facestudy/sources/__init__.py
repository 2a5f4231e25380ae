"""Where photos and their labels come from, and what is done with them until they lie in data/raw.

Called by the stages download and pretrain_faces.
"""
