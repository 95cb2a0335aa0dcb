"""training of Focus-DETR."""
