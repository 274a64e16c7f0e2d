"""Every error of bmswitch, its exit code and what to do next.

::

    BmswitchError                     1
    ├── ConfigError                   3   the configuration file is wrong; nothing was touched
    ├── PlanError                     4   the plan file is missing, damaged or was written by another version
    │   └── StalePlanError            5   the sites are no longer what the plan was made for
    ├── UnreachableError              6   Kafka, REST, bucket or proxy does not answer
    ├── AccessError                   7   a password, token or key is refused
    ├── RefusedError                  8   a guard says no: going on would do harm
    │   └── BusyError                 9   another bmswitch holds the lock of this run
    ├── DifferentError               10   verify: green does not equal blue
    ├── UnknownError                 11   what we must know can not be read: neither yes nor no
    ├── AbortedError                 12   the switch was put back: blue serves
    ├── JournalError                 13   the run's journal is damaged or can not be written
    ├── RecordError                  14   a record of the change log is not understood
    ├── CloneError                   15   green's native clone failed, whatever its task says
    ├── LabError                     16   a part of the lab can not be started, stopped or used
    ├── UnsupportedError             17   this proxy, kernel or version can not do what was asked, ever
    └── InterruptedRunError         130   the operator stopped the command

Exit code 0 is success, 2 is a wrong command line (set by the command-line library), 70 a defect of bmswitch.
"""

from typing import ClassVar


class BmswitchError(Exception):
    """What went wrong, in the four parts that an operator needs at three in the morning.

    Args:
        cause: one sentence, no secret in it: what is wrong.
        evidence: what was seen: a file and line, an answer, a position. May be empty.
        consequence: what that means for traffic and data ("traffic is on blue, untouched").
        next_command: the command or action that comes next.

    `result` may carry what the command found before it failed; it is printed beside the error as JSON.
    """

    exit_code: ClassVar[int] = 1
    default_consequence: ClassVar[str] = "nothing was changed"

    def __init__(
        self, cause: str, *, evidence: str = "", consequence: str = "", next_command: str = ""
    ) -> None:
        super().__init__(cause)
        self.cause = cause
        self.evidence = evidence
        self.consequence = consequence or self.default_consequence
        self.next_command = next_command
        self.result: object = None

    @property
    def kind(self) -> str:
        """Stable name for machines: `config`, `stale_plan`, `unreachable`, ..."""
        name = type(self).__name__.removesuffix("Error")
        return "".join("_" + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(name))


class ConfigError(BmswitchError):
    """The configuration file is wrong: message names file, line, key, what was expected."""

    exit_code = 3


class PlanError(BmswitchError):
    """The plan file is missing, damaged or was written by another version."""

    exit_code = 4


class StalePlanError(PlanError):
    """The sites are no longer what the plan was made for."""

    exit_code = 5


class UnreachableError(BmswitchError):
    """Kafka, REST, bucket or proxy does not answer within its deadline."""

    exit_code = 6


class AccessError(BmswitchError):
    """A password, token or key is refused."""

    exit_code = 7


class RefusedError(BmswitchError):
    """A guard says no: going on would do harm."""

    exit_code = 8


class BusyError(RefusedError):
    """Another bmswitch holds the lock of this run."""

    exit_code = 9


class DifferentError(BmswitchError):
    """Green does not equal blue."""

    exit_code = 10


class UnknownError(BmswitchError):
    """What must be known can not be read: neither yes nor no."""

    exit_code = 11
    default_consequence = "nothing was concluded: unknown is neither equal nor different"


class AbortedError(BmswitchError):
    """The switch was put back: blue serves."""

    exit_code = 12
    default_consequence = "traffic is on blue"


class JournalError(BmswitchError):
    """The run's journal is damaged or can not be written."""

    exit_code = 13


class RecordError(BmswitchError):
    """A record of the change log is not understood."""

    exit_code = 14


class CloneError(BmswitchError):
    """Green's native clone failed, whatever its task says."""

    exit_code = 15


class LabError(BmswitchError):
    """A part of the lab can not be started, stopped or used."""

    exit_code = 16


class UnsupportedError(BmswitchError):
    """The proxy, kernel or version can not do what was asked, however often it is asked."""

    exit_code = 17


class InterruptedRunError(BmswitchError):
    """The operator stopped the command."""

    exit_code = 130
