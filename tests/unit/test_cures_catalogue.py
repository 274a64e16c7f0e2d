"""What is said about each cure is what it is; one can be turned off by name; the legacy records are brought up to date."""

import json
from pathlib import Path

import msgspec
import pytest
from tests.integration.mirror_run import config_for
from tests.unit.restore_kit import DOMAIN, Kit

from bmswitch.cli.main import run
from bmswitch.model import topics
from bmswitch.model.config import Config
from bmswitch.model.errors import ConfigError, RecordError
from bmswitch.model.plan import Level
from bmswitch.model.record_types import ROLE_CLASS
from bmswitch.model.records import LogRecord, Operation, RecordKey, decode_key, encode_key
from bmswitch.replication.chain import Chain
from bmswitch.replication.cures import catalogue as catalogue_module
from bmswitch.replication.cures.catalogue import CURES, catalogue
from bmswitch.replication.cures.children_wait import ChildrenWait
from bmswitch.replication.cures.legacy_records import LegacyRecords
from bmswitch.replication.cures.parents_first import ParentsFirst
from bmswitch.replication.cures.resources_whole import ResourcesWhole
from bmswitch.workflows.config import load_config
from bmswitch.workflows.cures import check_disabled, disabled_findings, listed, note, pipeline, record_types

ROOT = Path(__file__).parents[2]
BLUE = "bluemind-644e1a44-332a-47af-815d-b5a806fa5ab0"
GREEN = "bluemind-11111111-2222-3333-4444-555555555555"
HASH_MAP = "java.util.HashMap"


def config_without(*names: str, folder: Path = Path("run")) -> Config:
    config = config_for(str(folder), "127.0.0.1:9", "127.0.0.1:9")
    replication = msgspec.structs.replace(config.replication, disabled_cures=list(names))
    return msgspec.structs.replace(config, replication=replication)


def test_every_cure_of_the_folder_is_in_the_catalogue_and_says_everything_about_itself() -> None:
    folder = Path(catalogue_module.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "catalogue", "page", "words"}
    cures = catalogue()
    assert {cure.name for cure in cures} == files
    assert all(cure.prevents.startswith("that ") and cure.source for cure in cures)
    assert all(cure.how and cure.without and cure.when for cure in cures)


def test_the_pipeline_follows_the_catalogue_s_order() -> None:
    cures = pipeline(config_without(), BLUE, GREEN, "crp")
    assert [ChildrenWait, *(type(cure) for cure in cures), ResourcesWhole, ParentsFirst] == list(CURES)
    assert [type(cure).__name__ for cure in pipeline(config_without(), BLUE, BLUE, "")] == [
        "DeletionsMended",
        "LegacyRecords",
        "MetadataDescribed",
        "ServerAddresses",
        "IdSequences",
        "UidValidity",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "deletions_mended",
        "legacy_records",
        "metadata_described",
        "id_sequences",
        "uidvalidity",
        "crp_dir_entries",
    ],
)
def test_a_cure_that_is_turned_off_is_left_out_and_the_plan_warns(name: str) -> None:
    config = config_without(name)
    modules = [type(cure).__module__.rpartition(".")[2] for cure in pipeline(config, BLUE, GREEN, "crp")]
    assert name not in modules
    assert len(modules) == len(CURES) - 4
    (finding,) = disabled_findings(config)
    assert (finding.level, name in finding.cause, bool(finding.consequence)) == (Level.warn, True, True)
    assert disabled_findings(config_without()) == []


def test_a_wrong_name_is_told_with_its_line_and_the_nearest(tmp_path: Path) -> None:
    text = (ROOT / "examples" / "production.yaml").read_text(encoding="utf-8")
    text = text.replace("  mode: mirror\n", "  mode: mirror\n  disabled_cures: [uidvalidty]\n")
    path = tmp_path / "bmswitch.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    line = 1 + text.splitlines().index("  disabled_cures: [uidvalidty]")
    assert caught.value.cause.startswith(f"{path}:{line}: replication.disabled_cures")
    assert "did you mean uidvalidity" in caught.value.evidence


@pytest.mark.parametrize("name", ["server_addresses", "installation_id"])
def test_what_would_do_harm_can_not_be_turned_off(name: str) -> None:
    with pytest.raises(ConfigError, match="can not be turned off"):
        check_disabled([name])


def test_the_command_explains_and_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["-c", str(ROOT / "examples" / "production.yaml")]
    assert run(["cures", "explain", "uidvalidity", *at]) == 0
    assert "clone-and-api.md 3.4" in capsys.readouterr().out
    assert run(["cures", "explain", "uidvaldity", *at, "--output", "json"]) == 3
    assert "uidvalidity" in json.loads(capsys.readouterr().out)["error"]["evidence"]
    assert run(["cures", "list", *at, "--output", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["result"]) == len(CURES)
    assert run(["cures", "types", *at, "--output", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["result"]["known"]) == 50
    cure = LegacyRecords()
    cure.left = 3
    chain = Chain([])
    chain.unknown["holograms", "a.B"] = 2
    note(tmp_path, [cure], chain)
    assert record_types(config_without(folder=tmp_path)).unknown == {"holograms a.B": 2}
    seen = {one.cure.name: one for one in listed(config_without("uidvalidity", folder=tmp_path))}
    assert (seen["legacy_records"].left, seen["uidvalidity"].on, seen["legacy_records"].on) == (
        3,
        False,
        True,
    )


def legacy(
    key_type: str, value_class: str, value: object, *, uid: str = "u1", old_key: bool = False
) -> LogRecord:
    container = f"{uid}_at_{DOMAIN}_role" if key_type == "roles" else DOMAIN
    owner = uid if key_type == "roles" else "system"
    key = encode_key(RecordKey(key_type, owner, container, 10, value_class, Operation.CREATE))
    if old_key:
        key = key.replace(b'"operation":"CREATE"', b'"created":false')
    whole = {
        "value": value,
        "uid": uid,
        "internalId": 10,
        "version": 1,
        "created": 5,
        "valueClass": value_class,
    }
    return LogRecord(topics.domain(BLUE, DOMAIN), 1, 0, 1, key, msgspec.json.encode(whole), (("h", b"v"),))


SETTINGS = legacy("dir", HASH_MAP, {"lang": "fr", "tz": None}, old_key=True)
ROLES = legacy("roles", ROLE_CLASS, {"kind": "USER", "roles": ["a"]}, old_key=True)


def replayed(*records: LogRecord) -> Kit:
    kit = Kit()
    kit.user("u1")
    for record in records:
        kit.router.apply(record.key, record.value, record.partition, record.offset)
    return kit


def test_without_the_cure_the_clone_drops_old_settings_and_roles() -> None:
    kit = replayed(SETTINGS, ROLES)
    assert kit.store.side("user_settings", "u1", "u1") is None
    assert kit.store.side("role", "u1", "u1") is None


def test_with_the_cure_the_clone_has_them() -> None:
    kit = replayed(*(one for record in (SETTINGS, ROLES) for one in LegacyRecords()(record)))
    assert kit.side("user_settings", "u1", "u1") == {"values": {"lang": "fr", "tz": None}}
    assert kit.side("role", "u1", "u1")["roles"] == ["a"]


def test_settings_of_a_domain_get_its_uid_and_the_key_says_what_it_said() -> None:
    before = legacy("domains", "java.util.LinkedHashMap", {"lang": "fr"}, uid="x.lan", old_key=True)
    (after,) = LegacyRecords()(before)
    key, value = decode_key(after.key), json.loads(after.value or b"")
    assert (key.operation, key.value_class) == (Operation.UPDATE, "net.bluemind.domain.api.DomainSettings")
    assert value["value"] == {"domainUid": "x.lan", "settings": {"lang": "fr"}}
    assert (value["valueClass"], value["created"]) == (key.value_class, 5)
    assert (after.partition, after.timestamp_ms, after.headers) == (1, 1, before.headers)


def test_an_entry_with_an_old_key_keeps_its_value_s_bytes() -> None:
    before = legacy("dir", "some.Entry", {"entry": {}}, old_key=True)
    (after,) = LegacyRecords()(before)
    assert after.value == before.value
    assert b'"operation":"UPDATE"' in after.key


@pytest.mark.parametrize(
    "record",
    [
        legacy("roles", "another.Class", {"roles": []}),
        legacy("dir", HASH_MAP, {"values": {"lang": "fr"}}),
        msgspec.structs.replace(SETTINGS, value=b'{"uid":"u1"}'),
    ],
)
def test_what_is_not_certain_passes_as_it_is_and_is_counted(record: LogRecord) -> None:
    cure = LegacyRecords()
    assert (cure(record), cure.left) == ([record], 1)


@pytest.mark.parametrize(
    "record",
    [
        legacy("dir", "some.Entry", {"entry": {}}),
        legacy("domains", "net.bluemind.domain.api.Domain", {}),
        msgspec.structs.replace(ROLES, value=None),
    ],
)
def test_records_of_today_pass_and_are_not_counted(record: LogRecord) -> None:
    cure = LegacyRecords()
    assert (cure(record), cure.left) == ([record], 0)


def test_a_legacy_record_that_is_no_json_inside_is_parked() -> None:
    with pytest.raises(RecordError):
        LegacyRecords()(msgspec.structs.replace(SETTINGS, value=b'{"value":}'))
