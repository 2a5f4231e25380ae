"""The exported models at work: `facestudy predict` and the demo page; no torch but for the demo.

Called by facestudy/cli.py.
"""
