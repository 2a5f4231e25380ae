"""Drawn faces: people, expressions and scenes from a random generator, and the picture they make."""
