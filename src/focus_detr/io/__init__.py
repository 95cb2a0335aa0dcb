"""Files and paths: read or refused, written whole or not at all."""
