"""A statement of our own in a bucket's policy, on a store that keeps policies as S3 does."""

import json

import pytest
from minio.error import S3Error

from bmswitch.model.errors import UnknownError
from bmswitch.objects.rights import InBucketPolicy, Store

ALLOW = {
    "Sid": "Theirs",
    "Effect": "Allow",
    "Principal": "*",
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::b/*",
}
THEIRS = json.dumps({"Version": "2012-10-17", "Statement": [ALLOW]}, indent=1)


class Kept(Store):
    """A store in memory; `deaf` takes a policy and forgets it."""

    def __init__(self, policy: str = "", *, deaf: bool = False) -> None:
        super().__init__("http://127.0.0.1:1", "b", "k", "s")
        self.policy = policy
        self.deaf = deaf

    def s3(self):  # type: ignore[no-untyped-def] # a stand-in of the client
        return self

    def get_bucket_policy(self, bucket: str) -> str:
        if not self.policy:
            raise S3Error(None, "NoSuchBucketPolicy", None, bucket, None, None)  # type: ignore[arg-type]
        return self.policy

    def set_bucket_policy(self, _bucket: str, text: str) -> None:
        if not self.deaf:
            self.policy = text

    def delete_bucket_policy(self, _bucket: str) -> None:
        self.policy = ""


def allowed() -> None:
    return


def way(store: Store, side: str = "blue") -> InBucketPolicy:
    return InBucketPolicy(store, f"arn:aws:iam::1:user/{side}", side)


def effects(store: Kept) -> list[str]:
    return [statement["Effect"] for statement in json.loads(store.policy)["Statement"]]


@pytest.mark.parametrize("before", ["", THEIRS])
def test_the_text_from_before_comes_back_byte_for_byte(before: str) -> None:
    store = Kept(before)
    assert way(store).before() == before
    for _ in range(2):
        way(store).withdraw(allowed)
        assert effects(store).count("Deny") == 1
    for _ in range(2):
        way(store).give_back(before, allowed)
        assert store.policy == before


def test_what_somebody_else_changed_meanwhile_stays() -> None:
    store = Kept(THEIRS)
    way(store).withdraw(allowed)
    policy = json.loads(store.policy)
    policy["Statement"].append({**ALLOW, "Sid": "New"})
    store.policy = json.dumps(policy)
    way(store).give_back(THEIRS, allowed)
    assert [statement["Sid"] for statement in json.loads(store.policy)["Statement"]] == ["Theirs", "New"]


def test_both_sides_can_be_denied_at_a_time_and_each_gets_back_its_own() -> None:
    store = Kept(THEIRS)
    way(store).withdraw(allowed)
    between = way(store, "green").before()
    way(store, "green").withdraw(allowed)
    way(store).give_back(THEIRS, allowed)
    assert "user/green" in store.policy
    assert "user/blue" not in store.policy
    way(store, "green").give_back(between, allowed)
    assert "user/green" not in store.policy


def test_a_store_that_forgets_is_found_by_reading_back() -> None:
    with pytest.raises(UnknownError, match="does not keep"):
        way(Kept(deaf=True)).withdraw(allowed)
