"""The bucket of immutable bodies: the only importer of minio."""
