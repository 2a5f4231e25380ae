"""`facestudy run`: the stages of dvc.yaml side by side, on this machine or on Slurm, by submitit.

Called by facestudy/cli.py.
"""
