"""The words of docs/cures.md around what is made from the cures and the bugs."""

BEFORE = """# Cures

<!-- head -->

What makes BlueMind's own clone fail, lose or do harm is cured in the stream, before green ever reads it. A cure is one
file in `src/bmswitch/replication/cures/`, a pure function `record -> records`. All other records pass as the bytes they
are: same partition, key, timestamp and headers.

`bmswitch cures list` shows them with their state in a configuration, `bmswitch cures explain NAME` says more. This page is
made from the cures and from the table in `src/bmswitch/model/bugs`; a test holds it up to date.
"""
AFTER = """One is turned off by its name; the plan then warns with what happens without it. What was copied before stays as it is.
With `replication.mode: shared` nothing is copied and none is applied: the plan then says for each what happens (docs/replicate.md, On one Kafka).

```yaml
replication:
  disabled_cures: [uidvalidity]
```

`parents_first` changes no record and adds none to a domain's topic: between the first pass and green's clone it writes org
units to green's `__presync` topics, which the clone replays first. On a measured log (12 org units, 8 parents in another
partition than their child) the stand-in's clone gave some of them other ids without it, and none with it.

A key of any type with the boolean `created` of before 2022 is written with its `operation`. What `legacy_records` is not certain about
(payloads of another shape, such keys without payload) passes as it is and is counted in `cures explain`. A record of a type that is not
among the 43 of today and the 7 of before (`bmswitch cures types`) passes as it is too: it is counted and named there, and the guard `types_known` warns of it.

## Versions

Which versions the cures cover is a table (`src/bmswitch/model/crossings.py`). The guard `version_proven` refuses every other
crossing and says what nobody has tried of it; `bmswitch plan --allow-unproven-version` goes on, and that stands in the plan with your name.

## What can not be cured in the stream

**Passwords changed after a user was created.** Green ends with the hash of the user's first record on green, usually its CREATE
(change-log.md 5.6, clone-and-api.md 3.3). No harmless record brings a newer one:

| record | why not |
| --- | --- |
| UPDATE, or CREATE with the same item id | an update of a known user: the clone keeps green's own password (clone-and-api.md 3.5) |
| CREATE with another item id, or DELETE and CREATE | the user is deleted first, with the mailbox |
| the user's CREATE with the newest hash put in, or the user in `__presync` | needs to know what comes later, and helps only for what was in the log before the clone began; logins and addresses of a user in `__presync` can clash with older records of other users, which kills the clone |

And a change since the user's last record is in no record at all. The way is REST on green: `POST
/api/users/{domain}/{uid}/password_` with an empty current password stores a known hash unchanged, taken from the newest USER
record of blue's log (clone-and-api.md 4.1).

## Order: parents before children

Blue writes an entry before what it owns and a folder before its mails, all in one partition. A creation that is logged again moves
behind them (change-log.md 3.4). `children_wait` lets a record wait for its owner or its folder: it is parked, the partition goes on, and
right behind the parent it follows by itself. When the parent is deleted instead, it is settled: there is nothing to restore. What waits
at the end stays parked: `it waits for its folder: ...`. At most 5,000 records wait at a time; what comes then passes as it is, and is counted.
A run that goes on elsewhere (after a restart) has not seen the beginning: it takes everybody for known but those that something waits for.
Several workers (`replicate --workers`) pass partitions to each other, so none has seen a whole one: with them nothing waits.

A *changed resource* is deleted and made anew by the clone. `resources_whole` repeats what is in its calendar right behind each later record of it.
A run that goes on elsewhere has not read what it had: it parks the change, which is then made on green by hand after the switch.

Parents in other partitions (org units, groups of members, types of resources) are made by the clone from copies in the child or as
placeholders. For org units that is not enough, see `parents_first`.

## What is not cured but stopped

| seen | what happens |
| --- | --- |
| a key that can not be decoded, a value that is no JSON or has no uid, a record above 5.5 MB, a child whose parent never comes | parked, see below; the neighbours go on |
| records that are gone from blue before they were read | the run stops: the copy would have a hole |
| another number of partitions on green | refused before anything is written |
| records of somebody else in green's topics | refused before anything is written |
| blue's farewell (`Seppuku`) was read and green leads | the copy ends for good: green's log takes no record of blue after its promotion |

`tests/corpus` has one file for each way in which a record or a body can be wrong, with its fate.

## Parked records

They are in `<run_dir>/quarantine.ndjson` (0600) with topic, partition, offset, reason and bytes (base64). The file only grows: a
decision is a further line. `cutover` goes on only when each record is decided.

| command | what it does |
| --- | --- |
| `bmswitch quarantine list` | every record, its number, its state: `parked`, `retried`, `accepted` |
| `bmswitch quarantine show N` | key and value, shortened, without hashes, tokens and keys |
| `bmswitch quarantine retry N` or `all` | looks whether the parent came that it waits for, passes it through the cures of the bmswitch that is installed now, and writes what is understood to green's log. Stop `replicate` first (it goes on where it was). When blue's log has a newer record of the same item, nothing is written: the old one would undo it. Refused once green leads |
| `bmswitch quarantine accept N --reason TEXT --who NAME` | green may miss it: somebody's name and reason stand for that, also in the gate's answer |

A retried record stands at the end of its partition, behind records that may need it: a user's own directory entry can come too late
for its folders. `verify` finds what green made of it. Whether a value is JSON is looked at for every record but the search sources of bodies (most
bytes of a log): of those only the outside. What it says is verify's matter.

## To add one

A file whose text starts with "Prevents that" and names its source, with a class that has `kinds` (topics it wants), `types` (key
types, `None` for all), `when`, `without`, and `__call__`; its test in `tests/unit/`; a place in `catalogue.CURES` and in
`workflows/cures.py: pipeline`; this page renewed (`make docs`). Raise `RecordError` to park the record, `RefusedError` to stop the run.
"""
