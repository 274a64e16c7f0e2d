from bmswitch.model.barrier import PARTITIONS, is_probe, new_nonce, probe_uids
from bmswitch.model.partition import partition_of


def test_there_is_one_probe_in_each_partition_in_order() -> None:
    uids = probe_uids()
    assert [partition_of(uid) for uid in uids] == list(range(PARTITIONS))


def test_the_number_of_a_probe_is_the_smallest_that_fits() -> None:
    for partition, uid in enumerate(probe_uids()):
        prefix, number = uid.rsplit("-", 1)
        assert prefix == f"bmswitch-probe-{partition:02d}"
        assert all(partition_of(f"{prefix}-{k}") != partition for k in range(int(number)))


def test_probes_are_told_from_other_entries() -> None:
    assert all(map(is_probe, probe_uids()))
    assert not is_probe("cli-created-d095c2ea-2d5f-31c0-9224-30b8143818c1")


def test_nonces_are_not_repeated() -> None:
    assert len({new_nonce() for _ in range(100)}) == 100
