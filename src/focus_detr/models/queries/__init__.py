"""Where the decoder's queries come from."""
