"""What is here and what is missing for what; it imports no library, so that it always works."""
