"""Drawn faces, so that the study needs no network and no real person.

Called by sources and by the stage pretrain_faces; photo_sets says which pictures are drawn.
"""
