import pytest
from tests.unit.restore_kit import DOMAIN, SUBTREE, Kit, now_ms

from bmswitch.lab.restore.context import RestoreError

MEMBERSHIPS = "u1_at_lab.test_memberships"


def member(kit: Kit, uid: str, *, group: str = "g1", number: int = 70, added: bool = True) -> None:
    value = {
        "member": {"type": "user", "uid": uid},
        "group": {"name": "sales", "dataLocation": "bm-master", "orgUnitUid": None},
        "added": added,
    }
    kit.put("memberships", uid, MEMBERSHIPS, group, value, number, "UPDATE")


def test_a_created_user_keeps_id_and_hash_and_gets_a_new_copy_guid() -> None:
    kit = Kit()
    before = now_ms()
    kit.user(mailboxCopyGuid="old", passwordLastChange=5)
    value = kit.value(DOMAIN, "u1")["value"]
    assert kit.item(DOMAIN, "u1").id == 10
    assert kit.store.password(DOMAIN, "u1") == "1:salt:hash"
    assert value["password"] is None
    assert value["mailboxCopyGuid"] not in {"old", None}
    assert value["passwordLastChange"] >= before


def test_an_updated_user_keeps_the_password_that_green_has() -> None:
    kit = Kit()
    kit.user()
    kit.user(operation="UPDATE", password="1:salt:newer")
    assert kit.store.password(DOMAIN, "u1") == "1:salt:hash"
    exact = Kit(exact=True)
    exact.user()
    exact.user(operation="UPDATE", password="1:salt:newer", mailboxCopyGuid="same")
    assert exact.store.password(DOMAIN, "u1") == "1:salt:newer"
    assert exact.value(DOMAIN, "u1")["value"]["mailboxCopyGuid"] == "same"


def test_a_user_with_another_id_is_deleted_with_everything_he_owns() -> None:
    kit = Kit()
    kit.user(number=10)
    kit.folder("f1", "Projects", 20)
    kit.put("addressbook", "u1", "book:Contacts_u1", "c1", {}, 42)
    member(kit, "u1")
    kit.user(number=11)
    assert kit.item(DOMAIN, "u1").id == 11
    assert kit.store.container(SUBTREE) is None
    assert kit.store.container("book:Contacts_u1") is None
    assert kit.store.sides("memberships", owner="u1") == []


def test_a_deleted_user_leaves_nothing_and_an_unknown_one_is_no_error() -> None:
    kit = Kit()
    kit.user()
    kit.folder("f1", "Projects", 20)
    kit.delete("dir", "system", DOMAIN, "u1", 10)
    kit.delete("dir", "system", DOMAIN, "nobody", 11)
    assert kit.store.item(DOMAIN, "u1") is None
    assert kit.store.password(DOMAIN, "u1") is None
    assert kit.store.containers(owner="u1") == []


def test_missing_org_units_are_invented_and_keep_their_id_in_a_clone() -> None:
    kit = Kit()
    kit.user(orgUnitUid="ou1")
    assert "Placeholder OrgUnit ou1" in kit.log
    invented = kit.item(DOMAIN, "ou1")
    assert invented.display_name == "placeholder of ou1"
    kit.entry("ou1", "ORG_UNIT", 5, name="Europe", parentUid="ou0")
    assert kit.item(DOMAIN, "ou1").id == invented.id
    assert kit.value(DOMAIN, "ou1")["value"]["name"] == "Europe"
    assert kit.value(DOMAIN, "ou0")["value"]["name"] == "placeholder of ou0"


def test_a_bootstrap_gives_an_invented_org_unit_the_logged_id() -> None:
    kit = Kit(exact=True)
    kit.user(orgUnitUid="ou1")
    kit.entry("ou1", "ORG_UNIT", 5, name="Europe")
    assert kit.item(DOMAIN, "ou1").id == 5


def test_a_membership_before_its_group_makes_the_group_from_the_copy() -> None:
    kit = Kit()
    member(kit, "u1")
    group = kit.item(DOMAIN, "g1")
    assert group.id == 70
    assert kit.value(DOMAIN, "g1")["value"]["dataLocation"] is None
    assert kit.side("memberships", "u1", "g1") == {"type": "user", "uid": "u1"}
    kit.entry("g1", "GROUP", 70, "UPDATE", name="sales", dataLocation="bm-master")
    assert kit.value(DOMAIN, "g1")["value"]["dataLocation"] == "bm-master"
    assert kit.side("memberships", "u1", "g1")["uid"] == "u1"


def test_a_membership_that_ended_is_removed_and_repeats_are_tolerated() -> None:
    kit = Kit()
    for _ in range(2):
        member(kit, "u1")
    for _ in range(2):
        member(kit, "u1", added=False)
    assert kit.store.sides("memberships") == []


def test_a_group_found_by_name_is_aliased() -> None:
    kit = Kit()
    kit.entry("g-local", "GROUP", 70, name="sales")
    member(kit, "u1", group="g1", number=71)
    assert kit.store.item(DOMAIN, "g1") is None
    assert kit.side("memberships", "u1", "g-local")["uid"] == "u1"


def test_the_default_groups_get_their_derived_uid() -> None:
    kit = Kit()
    kit.entry("g1", "GROUP", 70, name="admin")
    assert kit.store.item(DOMAIN, "g1") is None
    assert kit.item(DOMAIN, "lab.test_admin_group").id == 70


def test_a_group_name_that_is_taken_is_fatal() -> None:
    kit = Kit()
    kit.entry("g1", "GROUP", 70, name="sales")
    with pytest.raises(RestoreError, match="name is taken"):
        kit.entry("u2", "GROUP", 71, name="sales")
    kit.delete("dir", "system", DOMAIN, "g1", 70)
    kit.entry("u2", "GROUP", 71, name="sales")


def test_system_mailshares_are_not_restored() -> None:
    kit = Kit()
    kit.entry("m1", "MAILSHARE", 50, name="shared", system=True)
    assert kit.store.item(DOMAIN, "m1") is None
    kit.entry("m1", "MAILSHARE", 50, name="shared")
    assert "m1" in kit.context.state.mailboxes


def test_a_resource_loses_its_id_and_the_next_record_loses_its_calendar() -> None:
    kit = Kit()
    kit.entry("r1", "RESOURCE", 60, label="beamer", typeIdentifier="t1")
    first = kit.item(DOMAIN, "r1").id
    assert first != 60
    assert kit.side("resourceTypes", DOMAIN, "t1")["label"] == "Auto-created t1"
    kit.put("calendar", "r1", "calendar:r1", "e1", {}, 61)
    kit.entry("r1", "RESOURCE", 60, "UPDATE", label="beamer", typeIdentifier="t1")
    assert kit.store.container("calendar:r1") is None
    assert kit.item(DOMAIN, "r1").id > first


def test_the_logged_resource_type_replaces_the_invented_one_and_takes_its_resources_along() -> None:
    kit = Kit(exact=True)
    kit.entry("r1", "RESOURCE", 60, label="beamer", typeIdentifier="t1")
    kit.put("resourceTypes", "r1", "r1_at_lab.test_resourceTypes", "t1", {"label": "Beamers"})
    assert [side.owner for side in kit.store.sides("resourceTypes", uid="t1")] == ["r1"]
    kit.delete("resourceTypes", "r1", "r1_at_lab.test_resourceTypes", "t1", 5)
    assert kit.store.sides("resourceTypes") == []
    assert kit.store.item(DOMAIN, "r1") is None


def test_settings_need_their_user() -> None:
    kit = Kit()
    settings = {"values": {"lang": "fr"}}
    with pytest.raises(RestoreError, match="settings of a user"):
        kit.put("dir", "system", DOMAIN, "u1", settings, 10, value_class="net.bluemind.user.api.UserSettings")
    kit.user()
    kit.put("dir", "system", DOMAIN, "u1", settings, 10, value_class="net.bluemind.user.api.UserSettings")
    assert kit.side("user_settings", "u1", "u1") == settings


def test_a_domain_address_book_comes_with_its_container_and_goes_with_it() -> None:
    kit = Kit()
    kind = "net.bluemind.directory.api.DirEntry"
    book = {"entryUid": "addressbook_lab.test", "kind": "ADDRESSBOOK", "displayName": "All"}
    for _ in range(2):
        kit.put("dir", "system", DOMAIN, "addressbook_lab.test", book, 30, value_class=kind)
    container = kit.store.container("addressbook_lab.test")
    assert container is not None
    assert (container.type, container.owner, container.name) == ("addressbook", "addressbook_lab.test", "All")
    assert kit.value(DOMAIN, "addressbook_lab.test") == book
    kit.delete("dir", "system", DOMAIN, "addressbook_lab.test", 30)
    assert kit.store.container("addressbook_lab.test") is None


def test_only_the_domains_own_entry_is_taken_and_it_is_never_deleted() -> None:
    kit = Kit()
    kind = "net.bluemind.directory.api.DirEntry"
    for uid in (DOMAIN, "other.test"):
        kit.put("dir", "system", DOMAIN, uid, {"kind": "DOMAIN"}, 31, value_class=kind)
    kit.delete("dir", "system", DOMAIN, DOMAIN, 31)
    assert [item.uid for item in kit.store.items(DOMAIN)] == [DOMAIN]


def test_seppuku_and_legacy_entries_write_nothing() -> None:
    kit = Kit()
    for kind in ("net.bluemind.core.backup.continuous.dto.Seppuku", "java.util.HashMap"):
        kit.put("dir", "system", DOMAIN, "seppuku", {"byeTime": 1}, 5, value_class=kind)
    assert kit.store.item_count(DOMAIN) == 0
    assert any("op:SEPPUKU" in line for line in kit.log)


def test_roles_and_filters_need_their_target() -> None:
    kit = Kit()
    role = {"kind": "USER", "roles": ["hasMail"]}
    mail_filter = {"uid": "u1", "isDomain": False, "filter": {"rules": []}}
    with pytest.raises(RestoreError, match="does not exist"):
        kit.put("role", "u1", "u1_at_lab.test_role", "u1", role)
    with pytest.raises(RestoreError, match="does not exist"):
        kit.put("mailfilters", "u1", "x", "u1", mail_filter)
    kit.user()
    kit.put("role", "u1", "u1_at_lab.test_role", "u1", role)
    kit.put("mailfilters", "u1", "x", "u1", mail_filter)
    kit.put("role", DOMAIN, "x", DOMAIN, {"kind": "DOMAIN", "roles": []})
    assert kit.side("role", "u1", "u1") == role
    assert kit.side("mailfilters", "u1", "u1") == mail_filter


def test_admin_roles_make_the_org_unit_from_the_copy_with_its_id() -> None:
    kit = Kit()
    value = {"kind": "USER", "roles": ["x"], "dirUid": "u1", "orgUnit": {"name": "Europe", "parentUid": None}}
    kit.put("ou-roles", "u1", "u1_at_lab.test_ou-roles", "ou1", value, 52)
    assert kit.item(DOMAIN, "ou1").id == 52
    assert kit.side("ou-roles", "u1", "ou1")["roles"] == ["x"]


def test_mapi_folders_wait_for_the_replica() -> None:
    kit = Kit()
    kit.put("mapi_artifacts", "u1", "x", "mapi:INBOX:1", {"f": 1})
    assert kit.store.sides("mapi_artifacts") == []
    kit.put("mapi_artifacts", "u1", "x", "replica", {"r": 1})
    kit.put("mapi_artifacts", "u1", "x", "mapi:INBOX:1", {"f": 1})
    assert len(kit.store.sides("mapi_artifacts")) == 2


def test_identities_come_and_go_by_uid() -> None:
    kit = Kit()
    kit.put("mailboxIdentity", "u1", "x", "default", {"email": "a@lab.test"})
    assert kit.side("mailboxIdentity", "u1", "default")["email"] == "a@lab.test"
    kit.delete("mailboxIdentity", "u1", "x", "default", 5)
    assert kit.store.sides("mailboxIdentity") == []
