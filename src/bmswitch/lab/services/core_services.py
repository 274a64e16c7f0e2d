"""All services of one core, wired."""

from bmswitch.lab.publisher import Publisher
from bmswitch.lab.services.accounts import Accounts
from bmswitch.lab.services.bodies import Bodies
from bmswitch.lab.services.containers import Containers
from bmswitch.lab.services.context import Context
from bmswitch.lab.services.directory import Directory
from bmswitch.lab.services.groups import Groups
from bmswitch.lab.services.installation import Installation
from bmswitch.lab.services.items import Items
from bmswitch.lab.services.mail import MailService
from bmswitch.lab.services.mailboxes import Mailboxes
from bmswitch.lab.services.org_units import OrgUnits
from bmswitch.lab.services.platform import Platform
from bmswitch.lab.services.shared_hooks import SharedHooks
from bmswitch.lab.services.sides import Sides
from bmswitch.lab.services.state import State
from bmswitch.lab.services.tasks import Tasks
from bmswitch.lab.services.user_hooks import UserHooks
from bmswitch.lab.site import StandIn
from bmswitch.lab.store import Store


class Services:
    """Everything that REST, mail fronts and seeding call."""

    def __init__(
        self, site: StandIn, store: Store, bodies: Bodies, *, publisher: type[Publisher] = Publisher
    ) -> None:
        self.site = site
        self.store = store
        self.bodies = bodies
        self.state = State(site)
        self.publisher = publisher(
            site.kafka_bootstrap,
            lambda: site.installation_id,
            lambda: self.state.publishing,
            tombstones=site.version != "5.0",
        )
        self.context = Context(site, store, self.publisher, self.state)
        self.items = Items(self.context)
        self.containers = Containers(self.context, self.items)
        self.sides = Sides(self.context)
        self.mailboxes = Mailboxes(self.context, self.items, self.containers)
        self.groups = Groups(self.context)
        self.org_units = OrgUnits(self.context)
        self.directory = Directory(
            self.context,
            items=self.items,
            mailboxes=self.mailboxes,
            users=UserHooks(
                self.context,
                items=self.items,
                containers=self.containers,
                mailboxes=self.mailboxes,
                sides=self.sides,
            ),
            shared=SharedHooks(
                self.context,
                items=self.items,
                containers=self.containers,
                mailboxes=self.mailboxes,
                sides=self.sides,
            ),
            groups=self.groups,
        )
        self.platform = Platform(self.context, self.items, self.containers, self.directory)
        self.accounts = Accounts(self.context)
        self.mail = MailService(
            self.context, items=self.items, mailboxes=self.mailboxes, bodies=bodies, accounts=self.accounts
        )
        self.tasks = Tasks()
        self.installation = Installation(self.context, self.platform, self.tasks)
