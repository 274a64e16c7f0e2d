"""Starts, watches and stops the parts of the lab; one small file per part."""
