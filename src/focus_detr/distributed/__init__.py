"""Several workers that train or evaluate together."""
