"""Which tokens the encoder refines."""
