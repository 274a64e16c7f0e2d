"""The change log of a real installation as blue's past: loads it into blue's Kafka and the bucket."""

from pathlib import Path

from bmswitch.kafka.topics import Topics
from bmswitch.lab import loadlog
from bmswitch.lab.supervisor.config_file import build
from bmswitch.lab.supervisor.cores import site_of
from bmswitch.lab.supervisor.layout import Layout
from bmswitch.lab.supervisor.state import State
from bmswitch.model.errors import LabError


def installation_of(folder: Path) -> str:
    """`bluemind-<uuid>` of the installation that wrote the log. Raises LabError."""
    return loadlog.installation_of(folder)


def domain_of(folder: Path) -> str:
    """The first mail domain of the log, by the name of its file. Raises LabError when there is none."""
    names = [path.name.removesuffix(loadlog.SUFFIX) for path in loadlog.log_files(folder)[1:]]
    if not names:
        raise LabError("the folder holds no log of a domain", evidence=str(folder))
    return names[0]


def load(layout: Layout, state: State) -> loadlog.Loaded:
    """Writes records and mail bodies; blue's core must not run."""
    topics = Topics(build(layout, state).blue.kafka)
    blue = site_of(layout, state, "blue")

    def create(wanted: dict[str, int]) -> None:
        topics.create(wanted)

    return loadlog.load_log(state.log, state.installation_id, state.bootstraps["blue"], create, blue.s3)
