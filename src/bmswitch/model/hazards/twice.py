"""Done twice, or at the wrong time: hazards 46 to 54 of traffic-and-objects.md part C."""

from bmswitch.model.hazards.hazard import Hazard

HAZARDS: tuple[Hazard, ...] = (
    Hazard(
        46,
        "Scheduled jobs run on both sides, or at once on the target",
        "checked",
        does="The target is a clone until phase `promote`, and phase `stop-old` has stopped the source before. Guard `no_job_due` reads the planned jobs and warns of one that begins in the next 15 minutes",
        why="Whether no.core.jobs lies in the home of a core's user is a file of its machine.",
        do="put no.core.jobs on the target before the switch, and start jobs one by one afterwards.",
    ),
    Hazard(
        47,
        "Reminders are sent by both",
        "checked",
        does="Phase `stop-old` stops the source's core within the hold",
        why="Reminders that are armed are in its memory: between phase `fence` and phase `stop-old` one still goes out.",
        do="name core.stop; look through reminders due at that minute.",
    ),
    Hazard(
        48,
        "Timers on the target delete or send while it is a clone",
        "checked",
        does="verify finds what they removed from mailboxes; retention and versioning are looked at",
        why="Timers can neither be seen nor stopped by any call.",
        do="no outbound SMTP from the target, and a key without the right to delete until the switch.",
    ),
    Hazard(
        49,
        "Events that wait for a push are lost",
        "outside",
        does="Phase `drain` leaves no kept connection on the source, so every client connects anew",
        why="Such events are in the core's memory only.",
        do="nothing: a client that connects asks for changes; phones may be asked to synchronise.",
    ),
    Hazard(
        50,
        "Hazelcast joins both sides into one cluster",
        "checked",
        does="Guard `cluster_ports_closed` tries 5701 to 5715 of both sides, guard `settings_of_its_own_host` compares hz-member-address",
        why="The members of a cluster are on no call, and a firewall is only seen from this machine.",
        do="close 5701 to 5715 between the sites.",
    ),
    Hazard(
        51,
        "Clocks differ",
        "checked",
        does="Both cores' and the bucket's clocks are compared with ours: a warning above 2 s, a stop above 10 s (an HTTP date has whole seconds). A jump of our own clock turns the switch back (`src/bmswitch/model/switch/forward.py`); the proxies' clocks are in `bmswitch proxy check`",
        why="Kafka tells no time of its own: its records carry their writers'.",
        do="synchronise all machines (NTP), within 0.5 s.",
    ),
    Hazard(
        52,
        "The search index on the target is incomplete",
        "checked",
        does="Guard `search_complete` compares the number of documents in both mail indexes",
        why="That each document says what its mail says is not compared; addresses and calendars have no count.",
        do="bm-cli index coherency on the target, and consolidate what it finds.",
    ),
    Hazard(
        53,
        "The log holds secrets",
        "checked",
        does="Nothing secret is printed or reported (`src/bmswitch/bluemind/redact.py`); parked records and the plan are readable by you alone. Guard `log_closed` warns of a Kafka that is read without TLS",
        why="Who else may read the broker is known to its access list only.",
        do="access rights on Kafka, and new tokens and keys after the old side is gone.",
    ),
    Hazard(
        54,
        "Going back after the target has written loses those writes",
        "closed",
        does="Phase `release` is the point of no return: `bmswitch cutover --abort` is refused from then on (`src/bmswitch/model/switch/back.py`), and `bmswitch return` is a switch in the other direction, by a clone that has what was written",
    ),
)
