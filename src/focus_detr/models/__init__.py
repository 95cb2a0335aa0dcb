"""models of Focus-DETR."""
