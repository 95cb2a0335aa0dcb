"""COCO metrics: of saved detections, or of a detector run over a data set."""
