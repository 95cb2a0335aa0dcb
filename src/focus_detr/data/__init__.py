"""COCO data, transforms, buckets and loaders."""
