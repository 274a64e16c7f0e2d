"""An open attempt is gone on with only by what it was begun with: the same plan, the same proxy nodes."""

from bmswitch.model.config import Config
from bmswitch.model.errors import RefusedError, StalePlanError
from bmswitch.model.switch import State


def refuse_other_nodes(state: State, config: Config) -> None:
    """A node that took part may be held or point anywhere: leaving it out would leave clients there.

    Raises:
        RefusedError: names each node that is missing or new.
    """
    now, then = {node.name for node in config.proxies}, set(state.nodes)
    if not then or now == then:
        return
    found = [f"{name} is not in the configuration any more" for name in sorted(then - now)]
    found += [f"{name} is new" for name in sorted(now - then)]
    raise RefusedError(
        "the proxy nodes are not those with which the open switch was begun",
        evidence="; ".join(found),
        consequence="nothing was done",
        next_command="put the nodes back into the configuration as they were (bmswitch plan), then this command again",
    )


def refuse_other_plan(state: State, plan_id: str, *, abort: bool) -> str:
    """Going forward needs the plan it was begun with; putting back does not, and is told.

    Returns a note, empty when the plan is the same.

    Raises:
        StalePlanError: another plan, and the way is forward.
    """
    if not state.plan_id or state.plan_id == plan_id:
        return ""
    if abort or state.goal == "abort":
        return f"the open switch was begun with plan {state.plan_id}, this is {plan_id}: it is put back all the same"
    raise StalePlanError(
        "the open switch was begun with another plan",
        evidence=f"the journal says {state.plan_id}, the plan file is {plan_id}",
        consequence="nothing was done",
        next_command="bmswitch cutover --abort, or --resume with --plan and the file of that plan",
    )
