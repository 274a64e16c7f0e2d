import pytest
from tests.unit.restore_kit import DOMAIN, SUBTREE, Kit

from bmswitch.lab.restore.context import RestoreError
from bmswitch.model.murmur import default_folder_uid


def body(kit: Kit, owner: str = "u1", guid: str = "b1") -> None:
    kit.put(
        "message_bodies",
        owner,
        f"{owner}_at_{DOMAIN}_message_bodies",
        guid,
        {"guid": guid, "subject": "hello"},
    )


def container_id(kit: Kit, folder: str) -> int:
    container = kit.store.container(f"mbox_records_{folder}")
    assert container is not None
    return container.id


def test_a_created_folder_gets_the_uidvalidity_of_its_own_container_an_update_the_logged_one() -> None:
    kit = Kit()
    kit.folder("f1", "Projects", 20)
    assert kit.value(SUBTREE, "f1")["uidValidity"] == container_id(kit, "f1") != 4711
    kit.folder("f1", "Projects", 20, "UPDATE")
    assert kit.value(SUBTREE, "f1")["uidValidity"] == 4711


def test_the_defect_replaces_uidvalidity_on_updates_too() -> None:
    kit = Kit()
    kit.context.replace_uidvalidity = lambda: True
    kit.folder("f1", "Projects", 20)
    kit.folder("f1", "Projects", 20, "UPDATE")
    assert kit.value(SUBTREE, "f1")["uidValidity"] == container_id(kit, "f1")


def test_a_bootstrap_keeps_uidvalidity() -> None:
    kit = Kit(exact=True)
    kit.folder("f1", "Projects", 20)
    assert kit.value(SUBTREE, "f1")["uidValidity"] == 4711


def test_a_default_folder_gets_its_derived_uid_and_children_and_mails_follow() -> None:
    kit = Kit()
    kit.user()
    kit.folder("wrong", "INBOX", 20)
    kit.folder("child", "INBOX/Old", 21, parentUid="wrong")
    body(kit)
    kit.mail("wrong", 1, 30)
    uid = default_folder_uid("user.u1", DOMAIN, "INBOX")
    assert kit.store.item(SUBTREE, "wrong") is None
    assert kit.item(SUBTREE, uid).id == 20
    assert kit.value(SUBTREE, "child")["parentUid"] == uid
    assert kit.item(f"mbox_records_{uid}", "1.").id == 30


def test_default_folders_of_shared_boxes_are_named_from_their_root() -> None:
    kit = Kit()
    box = "subtree_lab_test!m1"
    for number, name in enumerate(("team", "team/Sent", "team/Other"), 20):
        value = {"name": name, "fullName": name, "parentUid": None, "uidValidity": 1}
        kit.put("replicated_mailboxes", "m1", box, f"x{number}", value, number)
    uids = {item.uid for item in kit.store.items(box)}
    assert uids == {default_folder_uid("m1", DOMAIN, ""), default_folder_uid("m1", DOMAIN, "Sent"), "x22"}


def test_folders_flagged_deleted_are_left_out() -> None:
    kit = Kit()
    kit.folder("f1", "Projects", 20, flags=("Deleted",))
    assert kit.store.container(SUBTREE) is None


def test_a_folder_with_another_id_is_recreated_without_its_mails() -> None:
    kit = Kit()
    kit.user()
    kit.folder("f1", "Projects", 20)
    body(kit)
    kit.mail("f1", 1, 30)
    kit.folder("f1", "Projects", 21)
    assert kit.item(SUBTREE, "f1").id == 21
    assert kit.store.item_count("mbox_records_f1") == 0
    kit.mail("f1", 1, 31)
    assert kit.item("mbox_records_f1", "1.").id == 31


def test_a_deleted_folder_takes_its_mails_along() -> None:
    kit = Kit()
    kit.folder("f1", "Projects", 20)
    kit.delete("replicated_mailboxes", "u1", SUBTREE, "f1", 20)
    assert kit.store.container("mbox_records_f1") is None
    assert kit.store.item_count(SUBTREE) == 0


def test_mail_records_of_a_missing_folder_are_lost() -> None:
    kit = Kit()
    kit.mail("nowhere", 1, 30)
    assert kit.store.container("mbox_records_nowhere") is None
    assert any("op:skip, type:mailbox_records" in line for line in kit.log)


def test_a_mail_record_keeps_id_and_uid_replaces_another_id_and_invents_a_missing_body() -> None:
    kit = Kit()
    kit.folder("f1", "Projects", 20)
    kit.mail("f1", 5, 30, guid="b9")
    assert kit.side("message_bodies", "u1", "b9")["guid"] == "b9"
    kit.mail("f1", 5, 31, guid="b9", operation="UPDATE")
    item = kit.item("mbox_records_f1", "5.")
    assert (item.id, item.uid, kit.store.item_count("mbox_records_f1")) == (31, "5.", 1)


def test_versions_of_mail_records_are_local_in_a_clone() -> None:
    kit = Kit()
    kit.folder("f1", "Projects", 20)
    for number in range(3):
        kit.mail("f1", number, 30 + number)
    assert [item.version for item in kit.store.items("mbox_records_f1")] == [1, 2, 3]


def test_bodies_need_an_owner_whose_mailbox_was_created_in_this_run() -> None:
    kit = Kit()
    with pytest.raises(RestoreError, match="no body store"):
        body(kit)
    kit.user()
    body(kit)
    assert kit.side("message_bodies", "u1", "b1")["subject"] == "hello"
    body(kit, owner="ghost")
    assert kit.store.side("message_bodies", "ghost", "b1") is None


def test_a_second_run_over_the_same_store_fails_on_bodies_as_documented() -> None:
    kit = Kit()
    kit.user()
    body(kit)
    kit.context.state.mailboxes.clear()
    kit.user()
    with pytest.raises(RestoreError, match="no body store"):
        body(kit)


def test_mail_deletions_and_body_deletions_of_unknown_things_are_fine() -> None:
    kit = Kit()
    kit.folder("f1", "Projects", 20)
    kit.mail("f1", 5, 30)
    for _ in range(2):
        kit.delete("mailbox_records", "u1", "mbox_records_f1", "5.", 30)
        kit.delete("message_bodies", "u1", "x", "b1", 31)
    assert kit.store.item_count("mbox_records_f1") == 0
    assert kit.store.sides("message_bodies") == []
