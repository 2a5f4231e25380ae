"""Finding the faces in photos, and what the networks see of them: square crops, packed into one array file.

Called by the stages preprocess and pretrain_faces, and by inference.
"""
