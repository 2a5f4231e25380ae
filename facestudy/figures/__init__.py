"""The study's figures, drawn with matplotlib from results alone; the same numbers give the same PNG bytes.

The stages `plot` and `compare` call it."""
