"""The stand-in's REST API: the subset of BlueMind's that bmswitch and the load use (clone-and-api.md 4)."""
