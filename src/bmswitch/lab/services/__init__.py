"""What the stand-in does with its data: one file per kind of thing; each write is stored, then published."""
