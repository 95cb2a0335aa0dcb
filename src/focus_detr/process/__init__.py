"""The process: command line, runtime, signals, screen, what it needs around it."""
