"""Prevents that clients reach a side past the proxies: then no hold holds them (traffic-and-objects.md C 9, 40)."""

from bmswitch.model.guards.answers import passed, some, stop, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard(9, 40)
def public_name_at_proxies(facts: Facts) -> Finding:
    """The public name leads to the proxies' frontends, and to no machine of a side."""
    public = facts.public
    if not public.host:
        return warn(
            "the public name is not known",
            "external_url is not set",
            command="compare DNS with the proxies yourself",
        )
    if public.error:
        return warn(f"the public name {public.host} can not be resolved from here", public.error,
                    command="compare what clients get from DNS with the proxies' addresses")  # fmt: skip
    own = sorted(set(public.addresses) & set(facts.source.servers.values()) - set(public.proxies))
    if own:
        return stop(
            f"the public name leads to {facts.source.colour} itself, past the proxies",
            f"{public.host} is {some(own)}",
            "point DNS at the proxies, wait for its time to live, and close the side's own ports to clients",
            "no hold would hold these clients: their writes are lost",
        )
    past = sorted(set(public.addresses) - set(public.proxies))
    if past and public.proxies:
        return warn(
            "the public name leads to an address that is no proxy of the configuration",
            f"{public.host} is {some(past)}, the proxies are at {some(public.proxies)}",
            "right when it is a balancer before the proxies; else clients go past them",
            "name every proxy node and its frontends in the configuration",
        )
    if not public.proxies:
        return warn(
            "no proxy node names its frontends", command="name them: DNS can not be compared, nor soaked"
        )
    return passed("the public name leads to the proxies", f"{public.host} is {some(public.addresses)}")
