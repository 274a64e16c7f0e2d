import pytest

from bmswitch.model import topics
from bmswitch.model.topics import TopicKind, TopicName

IID = "bluemind-644e1a44-332a-47af-815d-b5a806fa5ab0"
HEX = "644e1a44332a47af815db5a806fa5ab0"


def test_names_are_bluemind_s() -> None:
    assert topics.orphans(IID) == f"{HEX}-__orphans__"
    assert topics.domain(IID, "f8de2c4a.internal") == f"{HEX}-f8de2c4a.internal"
    assert topics.presync(IID, "f8de2c4a.internal") == f"{HEX}-f8de2c4a.internal__presync"
    assert topics.crp(IID) == f"{HEX}-crp-dir-entries"


def test_an_installation_id_survives_the_hex_form() -> None:
    assert topics.installation_id(topics.hex_id(IID)) == IID
    assert topics.installation_id("sync" + topics.hex_id(IID)) == IID


def test_every_name_parses_back() -> None:
    assert topics.parse(topics.orphans(IID)) == TopicName(HEX, TopicKind.ORPHANS)
    assert topics.parse(topics.crp(IID)) == TopicName(HEX, TopicKind.CRP)
    assert topics.parse(topics.domain(IID, "a-b.example.com")) == TopicName(
        HEX, TopicKind.DOMAIN, "a-b.example.com"
    )
    assert topics.parse(topics.presync(IID, "x.lan")) == TopicName(HEX, TopicKind.PRESYNC, "x.lan")


@pytest.mark.parametrize(
    "name",
    [
        "bluemind_cluster-__nodes__",
        f"sync{HEX}-x.lan",
        f"{IID}-x.lan_audit",
        f"{HEX}-nodots",
        f"{HEX}-",
        HEX,
        "__consumer_offsets",
    ],
)
def test_what_is_not_part_of_a_live_log_is_nothing(name: str) -> None:
    assert topics.parse(name) is None
