"""Whether a device computes what a CPU computes: a process for each, and the same inputs."""
