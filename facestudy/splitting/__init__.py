"""Which pictures train, validate and test, and which of them must stay together.

Called by the stages split, leaks and evaluate.
"""
