"""Weights that trainings start from: pretrained here, downloaded, or the user's own.

Called by the stage `weights`.
"""
