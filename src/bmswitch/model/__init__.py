"""Pure data and decisions: records, partitions, digests, the switch, plans. No I/O, imports nothing of ours."""
