"""JSON and text from one result model."""
