"""Denoising queries: noised copies of the targets that the decoder must repair."""
