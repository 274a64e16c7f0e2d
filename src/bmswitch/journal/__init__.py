"""The run on disk: append, fsync, checksum per line, replay; the lock."""
