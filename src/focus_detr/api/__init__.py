"""What Python programs use: detectors, what they found, and runs."""
