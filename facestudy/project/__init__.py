"""The project's paths, parameters, and files.

Every stage and package uses it.
"""
