"""Networks, the files of their weights, the device they run on, and the batches that they get.

Called by `weights`, `training`, `evaluation`, `inference`, `mistakes` and the stages.
"""
