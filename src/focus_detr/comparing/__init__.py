"""Two detectors beside each other: numbers of the same choices, and the pictures for it."""
