"""Starts and watches the workers of a run on this machine; used by the scripts."""
