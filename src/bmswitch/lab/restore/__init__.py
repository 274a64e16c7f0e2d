"""The stand-in's native clone: one file per family of record types, a router, and the loops that read the log."""
