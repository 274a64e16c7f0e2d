"""The line that is rewritten in place."""

import io

import pytest

from bmswitch.cli.render import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_that_is_rewritten_never_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("COLUMNS", "20")
    Progress().update("copying, 393 records, lag 99")
    Progress().update("copying, 3 records")
    assert screen.getvalue().split("\r\x1b[2K")[1:] == ["copying, 393 recor…", "copying, 3 records"]
