"""Sharing pictures out to train, validation and test."""
