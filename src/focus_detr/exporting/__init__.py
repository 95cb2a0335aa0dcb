"""From a checkpoint to a file that serves: writing it, and proving it equal to the checkpoint."""
