"""Compiled graphs that outlive the process that compiled them."""
