"""A protocol and one file per proxy driver."""
