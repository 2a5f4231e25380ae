"""The exported models at work: `facestudy predict` and the demo page; no torch but for export and the demo.

Called by facestudy/cli.py and stages/export.py.
"""
