"""Guards about the means: bucket, disk for the journal, the operator's own commands."""

from bmswitch.model.plan import Finding
from bmswitch.workflows.gate.facts import GateFacts, passed, stop, unknown, warn

MIN_FREE = 16 * 1024 * 1024


def bucket(facts: GateFacts) -> Finding:
    """Both sides live on it."""
    if facts.bucket_error:
        return unknown("bucket", "the bucket does not answer", facts.bucket_error)
    return passed("bucket", "the bucket answers")


def disk(facts: GateFacts) -> Finding:
    """A journal that can not be written stops the switch in the middle."""
    free = facts.free_bytes // (1024 * 1024)
    if facts.free_bytes < MIN_FREE:
        return stop("disk", "the run folder's disk is full", f"{free} MiB free", "free some space")
    return passed("disk", "the journal can be written", f"{free} MiB free")


def commands(facts: GateFacts) -> Finding:
    """Without stop, blue's unfenced writes stay possible until the flip; without start, the way back is by hand."""
    if facts.missing_commands:
        names = ", ".join(f"core.{name}" for name in facts.missing_commands)
        return warn("commands", f"not configured for blue: {names}", command="docs/switch.md, Commands")
    return passed("commands", "blue can be stopped, started and its sessions ended")
