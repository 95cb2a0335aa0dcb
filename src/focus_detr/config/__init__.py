"""config of Focus-DETR."""
