"""The journal and the lock on a real file system."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bmswitch.journal.journal import Journal, read_journal
from bmswitch.journal.lines import DamageError, decode, encode
from bmswitch.journal.lock import Lock
from bmswitch.model.errors import BusyError, JournalError
from bmswitch.model.switch import Entry, Result, fold
from bmswitch.workflows.switch_loop import Book


def written(path: Path, count: int = 3) -> None:
    with Journal(path) as journal:
        journal.append(Entry(kind="start", fence=1), 1000)
        for number in range(count - 1):
            journal.append(Entry(kind="intent", verb="hold", phase="hold", until_ms=9000 + number), 1001)


def test_what_is_written_is_read_back_numbered(tmp_path: Path) -> None:
    path = tmp_path / "journal.ndjson"
    written(path)
    entries, torn = read_journal(path)
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert (entries[1].verb, entries[1].at_ms, torn) == ("hold", 1001, "")
    state = fold(entries)
    assert state is not None
    assert state.was_intended("hold")


def test_what_stands_before_an_effect_is_on_the_disk_and_an_answer_goes_there_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    flush = os.fdatasync
    path = tmp_path / "journal.ndjson"

    def counted(file: int) -> None:
        flush(file)
        flushed.append(len(path.read_bytes().splitlines()))

    monkeypatch.setattr(os, "fdatasync", counted)
    with Journal(path) as journal:
        book = Book(journal, StillWorld(), lambda _entry, _state: None)  # type: ignore[arg-type] # its clock only
        book.write(Entry(kind="start", fence=1))
        book.write(Entry(kind="intent", verb="hold", phase="hold"))
        book.write(Entry(kind="effect", verb="hold", phase="hold", result=Result(answer="yes")))
        assert flushed == [1, 2]
        book.write(Entry(kind="intent", verb="kick", phase="kick"))
    assert flushed == [1, 2, 4]


class StillWorld:
    """A clock that stands still, and nothing else of a world."""

    def now_ms(self) -> int:
        return 1000

    look = begin = finished = pause = now_ms


def test_each_line_is_one_json_object_with_its_checksum(tmp_path: Path) -> None:
    path = tmp_path / "journal.ndjson"
    written(path, 1)
    line = json.loads(path.read_text().splitlines()[0])
    assert len(line["crc"]) == 8
    assert line["kind"] == "start"


def test_the_file_is_the_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "journal.ndjson"
    written(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_torn_last_line_is_cut_off_and_said(tmp_path: Path) -> None:
    path = tmp_path / "journal.ndjson"
    written(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    entries, torn = read_journal(path)
    assert len(entries) == 2
    assert "line 3" in torn
    assert path.read_bytes() == whole[:-20], "reading changes nothing"
    with Journal(path) as journal:
        assert "cut off" in journal.cut
        journal.append(Entry(kind="note", said="after the crash"), 1)
    assert [entry.seq for entry in read_journal(path)[0]] == [1, 2, 3]


@pytest.mark.parametrize("line", [0, 1, 2])
def test_one_changed_bit_is_found_and_named_by_line(tmp_path: Path, line: int) -> None:
    path = tmp_path / "journal.ndjson"
    written(path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line][:10] + bytes([lines[line][10] ^ 1]) + lines[line][11:]
    path.write_bytes(b"".join(lines))
    with pytest.raises(JournalError, match=f"line {line + 1}") as caught:
        Journal(path)
    assert caught.value.next_command


def test_a_missing_line_is_found(tmp_path: Path) -> None:
    path = tmp_path / "journal.ndjson"
    written(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])
    with pytest.raises(JournalError, match="line 2"):
        Journal(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_and_not_a_silence(tmp_path: Path) -> None:
    path = tmp_path / "journal.ndjson"
    written(path)
    with Journal(path) as journal:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, journal._file)
        os.close(full)
        with pytest.raises(JournalError, match="can not be written"):
            journal.append(Entry(kind="note"), 1)
    assert len(read_journal(path)[0]) == 3


def test_a_line_survives_its_round_trip() -> None:
    entry = Entry(kind="effect", seq=4, verb="prove", result=Result(answer="yes", facts={"items": 3}))
    assert decode(encode(entry)) == entry
    with pytest.raises(DamageError):
        decode(b"{}")


def test_a_second_command_is_told_who_works_and_since_when(tmp_path: Path) -> None:
    path = tmp_path / "cutover.lock"
    with Lock(path, "cutover"), pytest.raises(BusyError) as caught:
        Lock(path, "cutover --resume")
    assert str(os.getpid()) in caught.value.evidence
    assert "since 20" in caught.value.evidence
    with Lock(path, "again") as lock:
        assert lock.taken_over == "", "given back in order"


def test_a_lock_whose_file_was_removed_is_not_ours_any_more(tmp_path: Path) -> None:
    path = tmp_path / "cutover.lock"
    with Lock(path, "cutover") as first:
        first.check()
        path.unlink()
        with Lock(path, "cutover --abort") as second:
            second.check()
            with pytest.raises(BusyError, match="taken over"):
                first.check()


def test_a_process_that_was_overtaken_writes_no_line(tmp_path: Path) -> None:
    path = tmp_path / "journal.ndjson"
    written(path)
    with Journal(path) as frozen:
        with Journal(path) as newer:
            newer.append(Entry(kind="resume", fence=2), 5)
        before = path.read_bytes()
        for late in (frozen.check, lambda: frozen.append(Entry(kind="intent", verb="promote-target"), 6)):
            with pytest.raises(BusyError, match="taken over"):
                late()
    assert path.read_bytes() == before


def test_a_journal_that_was_moved_away_is_not_written_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.ndjson"
    with Journal(path) as journal:
        path.rename(tmp_path / "old")
        with pytest.raises(BusyError, match="taken over"):
            journal.append(Entry(kind="note"), 1)


def test_a_holder_that_stands_still_is_named_with_the_way_to_end_it(tmp_path: Path) -> None:
    path = tmp_path / "cutover.lock"
    code = (
        "import os,signal,sys,pathlib\n"
        "from bmswitch.journal.lock import Lock\n"
        "lock = Lock(pathlib.Path(sys.argv[1]), 'cutover')\n"
        "os.kill(os.getpid(), signal.SIGSTOP)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(path)])
    try:
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        with pytest.raises(BusyError) as caught:
            Lock(path, "cutover --abort")
        assert "it is stopped" in caught.value.evidence
        assert f"kill -9 {child.pid}" in caught.value.next_command
    finally:
        child.kill()
        child.wait()


def test_the_lock_of_a_killed_process_is_taken_over_and_said(tmp_path: Path) -> None:
    path = tmp_path / "cutover.lock"
    code = (
        "import os,sys,pathlib\n"
        "from bmswitch.journal.lock import Lock\n"
        "lock = Lock(pathlib.Path(sys.argv[1]), 'cutover')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert killed.returncode == -9
    with Lock(path, "cutover --resume") as lock:
        assert "that is gone" in lock.taken_over
        assert "(cutover)" in lock.taken_over


def test_an_overtaken_process_does_not_cut_the_lines_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.ndjson"
    with Journal(path) as first, Journal(path) as second:
        write = first._write

        def full(line: bytes, *, flush: bool) -> None:
            second.append(Entry(kind="start", fence=1, said="a longer line than the other one, by far"), 1)
            write(line[:5], flush=flush)
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(first, "_write", full)
        with pytest.raises(JournalError):
            first.append(Entry(kind="note"), 1)
    assert "by far" in read_journal(path)[0][0].said
