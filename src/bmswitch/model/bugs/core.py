"""Leadership, mail content, and bugs that only clone-and-api.md 8 tells of."""

from bmswitch.model.bugs.bug import Bug

LEADERSHIP: tuple[Bug, ...] = (
    Bug(
        62,
        ("3dfd25679", "217c1b100", "f25ed1e98", "328955e10", "15aa4451d", "479dd569a", "c1bcdd6d1"),
        "Two cores led at once, or none; the topology was told too late; sessions stayed on the old side",
        "kept",
        "The switch fences the old side before it promotes, reads both states, and drains what is left (`docs/switch.md`); guard `target_is_a_clone`, guard `source_can_be_fenced`",
    ),
)
CONTENT: tuple[Bug, ...] = (
    Bug(
        63,
        ("1d33c9e5c", "113cb04fd", "838935be3", "06c6ce894"),
        "Bodies and search sources were written and computed again and again",
        "outside",
        why="Blue writes them; a repetition costs time and harms nobody.",
    ),
)
ELSEWHERE: tuple[Bug, ...] = (
    Bug(
        0,
        ("5b925327b",),
        "A database password with special characters broke the script that sets the id sequence",
        "outside",
        why="The script runs on green's machines; guard `id_sequence_fresh` sees only that the record is there.",
    ),
    Bug(
        0,
        ("5c5420ccc", "16a45fc7f"),
        "A reset of the index was no task of its own; the log was flooded",
        "outside",
        why="It is inside the core; guard `search_complete` counts the index.",
    ),
    Bug(
        0,
        ("1921c0725",),
        "Nodes were announced although the store was off",
        "outside",
        why="The topic of nodes is no part of the log, and is not copied.",
    ),
    Bug(
        0,
        ("2b67aab2e",),
        "A container of Outlook's hidden items existed already",
        "outside",
        why="No restorer takes these items, and their container is made by the core.",
    ),
    Bug(
        0,
        ("6ae4d0183", "49323a50c"),
        "Containers were looked up slowly; what a clone remembers was in memory",
        "outside",
        why="It is a matter of the core's time and memory, not of what it holds.",
    ),
    Bug(
        0,
        ("4b328afb1", "2ad7c7bee"),
        "Reserved ids of default folders were incomplete or missing in an export",
        "checked",
        "What is in no record can not be replayed; guard `proof` compares the ids of folders",
    ),
    Bug(
        0,
        ("02a10d72b",),
        "Plans of jobs were not logged",
        "checked",
        "Guard `orphans` compares what both sides have",
    ),
    Bug(
        0,
        ("013f485b1",),
        "A failed replay ended the core's process",
        "kept",
        "A clone whose core is gone is seen and said (`src/bmswitch/workflows/clone_watch.py`)",
    ),
    Bug(
        0,
        ("3451d767b", "ebc19bc14", "c2184f132"),
        "The farewell record and the promotion by itself were incomplete",
        "kept",
        "The clone runs in TAIL: nothing is promoted but by the switch (`docs/switch.md`), and after the farewell nothing is copied once green leads (`src/bmswitch/replication/mirror.py`)",
    ),
    Bug(
        0,
        ("3ced21ffe",),
        "The core's token was read before it was there",
        "outside",
        why="It is inside the core; bmswitch asks with a token of the configuration.",
    ),
)
