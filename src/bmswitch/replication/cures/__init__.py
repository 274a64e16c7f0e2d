"""What makes BlueMind's own clone fail, lose or do harm, cured in the stream: one file each (docs/cures.md)."""
