"""What a short look measured at this site before anything is done: how fast its log, its core and its bucket answer."""

import msgspec


class LogProbe(msgspec.Struct, frozen=True, kw_only=True):
    """Records read from the source's log: their number and bytes (keys and values), the seconds that took, the rate's relative standard error.

    `whole`: all of the log was read, so that nothing needs to be guessed.
    """

    records: int = 0
    bytes: int = 0
    seconds: float = 0.0
    spread: float = 1.0
    whole: bool = False
    error: str = ""

    @property
    def rate(self) -> float:
        """Records a second; 0 when nothing was read."""
        return self.records / self.seconds if self.seconds and self.records else 0.0

    @property
    def record_bytes(self) -> float:
        """Bytes of a record on average; 0 when nothing was read."""
        return self.bytes / self.records if self.records else 0.0


class RestProbe(msgspec.Struct, frozen=True, kw_only=True):
    """Directory entries that were read whole from the source, as a proof reads them: `owners` of `of`, what they had, and the calls it took.

    `at_once`: how many were read at a time; `spread`: relative standard error of the seconds one takes, `items_spread` of its items.
    """

    owners: int = 0
    of: int = 0
    containers: int = 0
    items: int = 0
    calls: int = 0
    seconds: float = 0.0
    at_once: int = 1
    spread: float = 1.0
    items_spread: float = 1.0
    error: str = ""


class BodyProbe(msgspec.Struct, frozen=True, kw_only=True):
    """Bodies of a sample that were looked for by name: how many, how many of them are missing, in how many seconds."""

    asked: int = 0
    missing: int = 0
    seconds: float = 0.0
    error: str = ""

    @property
    def rate(self) -> float:
        """Looks a second; 0 when there was none."""
        return self.asked / self.seconds if self.seconds and self.asked else 0.0


class ApplyProbe(msgspec.Struct, frozen=True, kw_only=True):
    """A clone that restores already: records that it applied in `seconds`, and how many of its own Kafka it still has to (`behind`).

    Told by the offsets that its consumer groups commit, which they do until it is caught up (clone-and-api.md 0). All 0 when there is
    no clone yet, or it has caught up.
    """

    records: int = 0
    behind: int = 0
    seconds: float = 0.0
    error: str = ""

    @property
    def rate(self) -> float:
        """Records a second; 0 when nothing moved."""
        return self.records / self.seconds if self.seconds else 0.0


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, and how long it took in all (seconds)."""

    log: LogProbe = LogProbe()
    rest: RestProbe = RestProbe()
    bodies: BodyProbe = BodyProbe()
    apply: ApplyProbe = ApplyProbe()
    seconds: float = 0.0
