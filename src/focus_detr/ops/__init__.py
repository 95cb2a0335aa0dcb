"""ops of Focus-DETR."""
