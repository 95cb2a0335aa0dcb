"""Encoder layers, and how tokens are carried through them."""
