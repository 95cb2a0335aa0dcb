"""inference of Focus-DETR."""
