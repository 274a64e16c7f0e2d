"""A clone's right to write to the log that it reads (`replication.mode: shared`): withheld until it is promoted.

It is withheld as `rights.kafka` of its side says, the same way by which a side that has served loses it. Nothing is remembered: a
clone may not write, whatever was there before, and a side that is promoted must.
"""

from collections.abc import Callable

from bmswitch.kafka.acls import Acls
from bmswitch.model.config import Colour, Config, KafkaAcls, RightsCommand
from bmswitch.model.switch import Result
from bmswitch.workflows.effects_core import left
from bmswitch.workflows.rights import Permit, Run

_YES = Result(answer="yes")


class LogRight:
    """One side's. Both calls can be repeated; with a mirror, or without `rights.kafka`, they do nothing.

    `permit` is asked right before each change. `deadline` is monotonic. Errors of Kafka are raised as they are.
    """

    def __init__(
        self, config: Config, colour: Colour, installation_id: str, run: Run, permit: Permit
    ) -> None:
        shared = config.replication.mode == "shared"
        self._way = config.site(colour).rights.kafka if shared else None
        self._kafka, self._iid, self._run, self._permit = (
            config.site(colour).kafka,
            installation_id,
            run,
            permit,
        )

    @property
    def configured(self) -> bool:
        """It is known how."""
        return self._way is not None

    def withhold(self, deadline: float) -> Result:
        """The side can not write to the log, read back."""
        return self._do(lambda acls: acls.withdraw(self._permit), "revoke", deadline)

    def grant(self, deadline: float) -> Result:
        """The side may write to the log, read back."""
        return self._do(lambda acls: acls.give_back(self._permit), "restore", deadline)

    def _do(self, change: Callable[[Acls], None], name: str, deadline: float) -> Result:
        if isinstance(self._way, KafkaAcls):
            change(Acls(self._kafka, self._way, self._iid))
        elif isinstance(self._way, RightsCommand):
            self._permit()
            argv = self._way.revoke if name == "revoke" else self._way.restore
            return self._run(argv, "kafka-rights", left(deadline))
        return _YES
