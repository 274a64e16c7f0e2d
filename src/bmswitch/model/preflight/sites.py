"""Guards about the two installations: who they are, in which state and version, and whether blue can be worked."""

import re

from bmswitch.model.plan import Finding
from bmswitch.model.preflight.answers import numbers, passed, stop, unknown, warn
from bmswitch.model.preflight.facts import CLONING, NOT_INSTALLED, RUNNING, Facts

_ID = re.compile(r"bluemind-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def two_sites(facts: Facts) -> Finding:
    """Blue and green are two."""
    if facts.blue.url == facts.green.url:
        return stop(
            "two_sites", "blue and green are the same core", facts.blue.url, "correct blue.url or green.url"
        )
    same = facts.blue.kafka_cluster_id and facts.blue.kafka_cluster_id == facts.green.kafka_cluster_id
    if same and facts.mode == "mirror":
        return stop(
            "two_sites",
            "blue and green use the same Kafka cluster, so there is nothing to mirror to",
            f"cluster id {facts.blue.kafka_cluster_id}",
            "give green its own Kafka, or say replication.mode: shared",
        )
    return passed("two_sites", "blue and green are two sites")


def blue_serves(facts: Facts) -> Finding:
    """Blue's core answers and is RUNNING."""
    if facts.blue.core_error:
        return unknown("blue_serves", "blue's core can not be read", facts.blue.core_error)
    if facts.blue.state != RUNNING:
        return stop(
            "blue_serves", "blue is not in production", f"state {facts.blue.state}", "start blue's core first"
        )
    return passed("blue_serves", "blue is in production")


def green_is_free(facts: Facts) -> Finding:
    """Nothing lives on green yet: its core is not there, not installed, or a clone of blue that is under way."""
    green = facts.green
    if green.state == RUNNING:
        return stop(
            "green_is_free",
            "green is in use: its core is RUNNING",
            f"{green.url} has {len(green.domains)} domain(s)",
            "name another green, or wipe this one (clone-and-api.md 7.2, step 5)",
        )
    if green.state and green.state not in {NOT_INSTALLED, CLONING}:
        return stop("green_is_free", "green is in a state that can not become a clone", green.state)
    return passed("green_is_free", "nothing lives on green", green.state or "no core there yet")


def versions_as_told(facts: Facts) -> Finding:
    """Blue has the version that the configuration names; green's is not older (clone-and-api.md 6)."""
    if facts.blue.version and not facts.blue.version.startswith(facts.blue_version):
        return stop("versions_as_told", "blue has another version than the configuration says",
                     f"{facts.blue.version}, expected {facts.blue_version}")  # fmt: skip
    if numbers(facts.green_version) < numbers(facts.blue_version):
        return stop(
            "versions_as_told", "green is older than blue", f"{facts.green_version} < {facts.blue_version}"
        )
    if facts.green.version and not facts.green.version.startswith(facts.green_version):
        return stop("versions_as_told", "green has another version than the configuration says",
                     f"{facts.green.version}, expected {facts.green_version}")  # fmt: skip
    if not facts.blue.version:
        return unknown("versions_as_told", "blue's version can not be read", facts.blue.core_error)
    return passed("versions_as_told", f"from {facts.blue_version} to {facts.green_version}")


def mode_supported(facts: Facts) -> Finding:
    """Only mirror mode is there yet."""
    if facts.mode != "mirror":
        return stop(
            "mode_supported",
            "replication.mode: shared is not there yet",
            command="say replication.mode: mirror",
        )
    return passed("mode_supported", "green's site gets its own copy of the log")


def blue_can_be_stopped(facts: Facts) -> Finding:
    """Blue's core can be stopped, started and its kept sessions ended by a command (traffic-and-objects.md C 36, 47)."""
    names = (("stop", facts.has_stop), ("start", facts.has_start), ("kick", facts.has_kick))
    missing = [name for name, there in names if not there]
    if missing:
        return warn(
            "blue_can_be_stopped",
            "blue.core has no command to " + ", ".join(missing),
            consequence="kept sessions may get refused writes, reminders may be sent twice, abort is by hand after the fence",
            command="name the commands under blue.core in the configuration",
        )
    return passed("blue_can_be_stopped", "blue's core can be stopped, started, and its sessions ended")


def ids_well_formed(facts: Facts) -> Finding:
    """Both installation ids are `bluemind-<uuid>`: one with a line end finds no topic (clone-and-api.md 7.3)."""
    for name, side in (("blue", facts.blue), ("green", facts.green)):
        iid = side.installation_id
        if iid and not _ID.fullmatch(iid):
            return stop(
                "ids_well_formed",
                f"{name}'s installation id is not of the form bluemind-<uuid>",
                repr(iid),
                f"correct {name}.installation_id: no space, no line end",
            )
    if not facts.blue.installation_id:
        return unknown("ids_well_formed", "blue's installation id is not known", facts.blue.kafka_error)
    return passed("ids_well_formed", "installation ids are well formed", facts.blue.installation_id)
