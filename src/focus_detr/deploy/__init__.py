"""Running exported models; needs nothing of what trains or builds a network."""
