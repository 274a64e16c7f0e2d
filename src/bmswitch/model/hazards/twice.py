"""Done twice, or at the wrong time: hazards 46 to 54 of traffic-and-objects.md part C."""

from bmswitch.model.hazards.hazard import Hazard

HAZARDS: tuple[Hazard, ...] = (
    Hazard(
        46,
        "Scheduled jobs run on both sides, or at once on green",
        "checked",
        does="Green is a clone until phase `promote` (guard `target_is_a_clone`), and phase `stop-old` has stopped blue before. Jobs on green start with the promotion: no.core.jobs is yours",
    ),
    Hazard(
        47,
        "Reminders are sent by both",
        "checked",
        does="Phase `stop-old` stops blue's core within the hold. Between phase `fence` and it, while phase `prove` runs, a reminder that is armed still goes out. Guard `source_can_be_stopped` warns without core.stop",
    ),
    Hazard(
        48,
        "Timers on green delete or send while it is a clone",
        "checked",
        does="verify finds what they removed from mailboxes. Timers can not be seen or stopped from outside: no outbound SMTP from green, a read-only S3 key until the switch",
    ),
    Hazard(
        49,
        "Events that wait for a push are lost",
        "checked",
        does="Phase `drain` leaves no kept connection on blue, so every client connects anew; whether it then asks for changes is its own affair",
    ),
    Hazard(
        50,
        "Hazelcast joins blue and green into one cluster",
        "outside",
        does="Its members are not on REST. Close 5701 to 5715 between the sites",
    ),
    Hazard(
        51,
        "Clocks differ",
        "checked",
        does="Guard `clocks_agree` compares ours, both cores' and the bucket's: warns above 2 s, stops above 10 s (an HTTP date has whole seconds; a core without one is a warning, a green that is not there yet is not asked). A jump of our own clock turns the switch back (`src/bmswitch/model/switch/forward.py`). Clocks of Kafka and of the proxies are not asked",
    ),
    Hazard(
        52,
        "The search index on green is incomplete",
        "outside",
        does="The proof names it as not proved. Compare counts with BlueMind's own index tool",
    ),
    Hazard(
        53,
        "The log holds secrets",
        "checked",
        does="Nothing secret is printed or reported (`src/bmswitch/bluemind/redact.py`); parked records and the plan are readable by you alone. TLS and access rights of Kafka, and new keys afterwards, are yours",
    ),
    Hazard(
        54,
        "Going back after green has written loses those writes",
        "closed",
        does="Phase `release` is the point of no return: `bmswitch cutover --abort` is refused from then on (`src/bmswitch/model/switch/back.py`)",
    ),
)
