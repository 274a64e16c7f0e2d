"""A whole blue/green site on one machine, around a stand-in installation: for trying and testing, not for mail."""
