"""What real logs are like, as plain numbers; and what had to be assumed because no log shows it.

`Sizes` are bytes of values at the 10th, 50th and 90th percentile and the largest, of a log that begins with an export (A) and of a
live one (B): change-log.md 5.3 and 5.4, and percentiles of A.
"""

import msgspec


class Sizes(msgspec.Struct, frozen=True):
    """Bytes of a value."""

    low: int
    middle: int
    high: int
    most: int

    def at(self, share: float) -> int:
        """The size at a share of all records, 0 to 1, on straight lines between the known points."""
        low, high, start, width = (
            (self.low * 3 // 4, self.low, 0.0, 0.1) if share < 0.1
            else (self.low, self.middle, 0.1, 0.4) if share < 0.5
            else (self.middle, self.high, 0.5, 0.4) if share < 0.9
            else (self.high, self.most, 0.9, 0.1)
        )  # fmt: skip
        return low + int((high - low) * (share - start) / width)


BODY = {"export": Sizes(950, 952, 956, 1344), "live": Sizes(1130, 1227, 1300, 1380)}
SEARCH = {"export": Sizes(21701, 22609, 23409, 24462), "live": Sizes(1008, 1105, 1180, 1252)}
FOLDER_UPDATES_A_MAIL = 928 / 998
"""B: UPDATE records of folders for each mail record."""

# ---- assumed: no real log at hand shows months of use

READ = 0.75
"""Mails whose flags change once more (read, answered): one UPDATE."""
EXPUNGED = 0.25
"""Mails that are deleted by their owner: one UPDATE, and for four in five later the DELETE with its two tombstones."""
PURGED = 0.8
MOVED = 0.1
"""Mails that go to another folder: body, search source and a new record, and the old one expunged."""
OTHER = 0.12
"""Events of another kind for each mail: calendar, cards, folders, subscriptions, rights, settings, rules, people."""
BURST = 0.002
"""Mails that begin a burst: 20 to 300 into one mailbox, as from a list or a migration."""
LEGACY = 0.004
"""Records of the shapes of 2021 to 2023, all at the log's beginning."""
LATE = 0.05
"""People who come while the log runs, and a tenth as many who go."""
HEARTBEAT = 500
"""Records between two records of the id sequence: 60 s of a busy installation."""
