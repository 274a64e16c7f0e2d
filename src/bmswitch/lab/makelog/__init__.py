"""Change logs of production size, made up: the same log for the same seed."""
