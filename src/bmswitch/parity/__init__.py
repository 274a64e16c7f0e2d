"""Inventories of both sides, digests, differences."""
