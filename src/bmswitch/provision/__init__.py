"""A protocol and one file per provisioning driver."""
