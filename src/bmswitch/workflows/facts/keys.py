"""Asks the bucket what each side's own key may do: a canary is put, looked at and deleted with it."""

from bmswitch.model.config import BucketKey, Config
from bmswitch.model.errors import BmswitchError
from bmswitch.model.guards.facts import KeyFacts
from bmswitch.objects.rights import may_delete, may_write
from bmswitch.workflows.config import read_secret
from bmswitch.workflows.facts.attempt import told
from bmswitch.workflows.rights import open_store


def key_facts(config: Config) -> list[KeyFacts]:
    """For each side whose key is configured."""
    sides = [(colour, config.site(colour).bucket_key) for colour in (config.serving, config.standby)]
    found = {colour: key for colour, key in sides if key is not None}
    same = same_keys(config) is True
    facts = []
    for colour, key in found.items():
        try:
            facts.append(KeyFacts(colour=colour, may_write=_may(config, key), same_as_other=same))
        except BmswitchError as error:
            facts.append(KeyFacts(colour=colour, error=told(error)))
    return facts


def same_keys(config: Config) -> bool | None:
    """Both sides work on the bucket with one key; None when a side's key is not configured."""
    mine, theirs = config.source.bucket_key, config.target.bucket_key
    if mine is None or theirs is None:
        return None
    return read_secret(mine.access_key) == read_secret(theirs.access_key)


def _may(config: Config, key: BucketKey) -> bool:
    store = open_store(config, key)
    try:
        return may_write(store) and may_delete(store)
    finally:
        store.close()
