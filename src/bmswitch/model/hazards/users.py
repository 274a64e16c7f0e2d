"""What users see: hazards 31 to 45 of traffic-and-objects.md part C."""

from bmswitch.model.hazards.hazard import Hazard

HAZARDS: tuple[Hazard, ...] = (
    Hazard(
        31,
        "Web users are logged out, drafts in the browser are lost",
        "outside",
        does="Sessions are not in the log; the plan says that web users log in again. Announce it, and choose a quiet hour",
    ),
    Hazard(
        32,
        "Everyone logs in at once",
        "outside",
        does="Phase `release` lets all go on together: there is no ramp. Warm green's caches before",
    ),
    Hazard(
        33,
        "A login through OpenID is cut in two",
        "outside",
        does="All paths are held at the same moment. A login that was under way starts again",
    ),
    Hazard(
        34,
        "UIDVALIDITY changes: every IMAP client downloads everything",
        "closed",
        does="Cure `uidvalidity`; verify compares it for every folder, so guard `proof` refuses",
    ),
    Hazard(
        35,
        "Clients' sync tokens are ahead of green: DAV and phones miss changes",
        "outside",
        does="Item versions are compared where a clone keeps them, sequences of containers are not raised. The proof names clients' positions as not proved. Reset phones, sample DAV",
    ),
    Hazard(
        36,
        "IMAP IDLE sessions stay on blue",
        "closed",
        does="Phase `kick` ends them by your command; phase `drain` wants nothing left on blue and turns back otherwise. Guard `source_can_be_stopped` and guard `source_can_be_stopped` warn without the command",
    ),
    Hazard(
        37,
        "EAS ping, MAPI wait, websockets stay open for minutes",
        "checked",
        does="Phase `kick` and phase `drain`, as for IMAP. They all come back in one moment, without jitter",
    ),
    Hazard(
        38,
        "The central reverse proxy hangs on refused connections",
        "checked",
        does="Phase `hold` and phase `drain`: blue's core is stopped only when nothing is under way to it. A reverse proxy between bmswitch's proxies and the cores is not known to bmswitch: keep its timeouts short",
    ),
    Hazard(
        39,
        "Errors shown in the gap, or a failure that looks like a wrong password",
        "checked",
        does="New requests and connections wait in phase `hold` instead of failing; the hold is a lease of the proxy, 10 s at most (`docs/proxy.md`). Putting back after the demotion restarts blue's core: when that takes longer than the hold, clients see errors",
    ),
    Hazard(
        40,
        "DNS, reverse DNS, SPF, allow-lists by address",
        "checked",
        does="The proxies keep the public addresses, so DNS does not change. Where green sends from, and who accepts it, is not looked at",
    ),
    Hazard(
        41,
        "TLS: a certificate or key is missing or different",
        "checked",
        does="Guard `frontends` and phase `soak` make a real TLS connection to each https, 993, 995 and 465 frontend that is configured. Fingerprints, HSTS and renewal on both sides are not looked at; TLS on the proxies is not tested",
    ),
    Hazard(
        42,
        "Another installation id breaks bounces to rewritten senders",
        "checked",
        does="Green keeps blue's id unless you configure another; then cure `installation_id` rewrites the log and nobody warns of bounces. Guard `ids_well_formed` refuses an id with a line end",
    ),
    Hazard(
        43,
        "The clients' addresses are lost behind one more proxy",
        "outside",
        does="The rendered proxies neither send nor take PROXY protocol (`docs/proxy.md`)",
    ),
    Hazard(
        44,
        "A stale web client or connector meets the newer API",
        "outside",
        does="Guard `versions_as_told` and guard `versions_as_told` compare with the configuration only. Try your clients on green first",
    ),
    Hazard(
        45,
        "Public links to files and calendars break",
        "checked",
        does="The same id is the default, and the external address comes with blue's settings. No link is tested",
    ),
)
