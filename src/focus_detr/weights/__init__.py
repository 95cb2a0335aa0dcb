"""Checkpoints: ours, and torch's read, written and converted without torch."""
