"""Detection on image files: prediction, drawn boxes and pictures of the kept tokens."""
