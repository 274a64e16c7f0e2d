"""One file per command: parse, call a workflow, render. No decisions."""
