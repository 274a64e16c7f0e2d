"""Pure functions record -> records, one file each, named after what it prevents."""
