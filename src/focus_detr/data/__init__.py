"""Data sets in COCO, VOC and YOLO formats, transforms, buckets and loaders."""
