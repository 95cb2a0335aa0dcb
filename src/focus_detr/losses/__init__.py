"""losses of Focus-DETR."""
