"""weights of Focus-DETR."""
