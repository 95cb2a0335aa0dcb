"""evaluation of Focus-DETR."""
