"""A plan as people read it: at a terminal, in a merge request, compared with another."""

import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
import yaml
from rich.console import Console
from tests.unit.test_plan import CONFIG, PLAN
from tests.unit.test_plan_decisions import SKIP, STOP
from tests.unit.test_predict import CASE, RULES, RUN, THERE

from bmswitch.cli.main import run
from bmswitch.cli.plan_markdown import changes_markdown, plan_markdown
from bmswitch.cli.plan_show import show_plan
from bmswitch.model.decisions import Accepted, Approval
from bmswitch.model.estimates import Estimate
from bmswitch.model.guards.skipping import marked
from bmswitch.model.history import Run
from bmswitch.model.inventory import Disk, Domain, Machine, PublicName
from bmswitch.model.plan import Finding, Level, Plan
from bmswitch.model.plan_diff import plan_changes
from bmswitch.model.strategy import choose
from bmswitch.workflows.config import config_hash, load_config
from bmswitch.workflows.plan import save_plan
from bmswitch.workflows.steps import steps

EXAMPLE = Path(__file__).parents[2] / "examples" / "production.yaml"
FINDINGS = [
    Finding(guard="two_sites", level=Level.passed, cause="blue and green are two sites"),
    STOP,
    Finding(
        guard="log_copies",
        level=Level.warn,
        cause="one broker | that is lost",
        evidence="<b>2 of 2</b>\ntopics",
        consequence="a record is missing",
        command="3 copies",
    ),
    Finding(guard="bucket_readable", level=Level.unknown, cause="the bucket can not be read", evidence="403"),
]
FULL = msgspec.structs.replace(PLAN, steps=steps(CONFIG), findings=FINDINGS)


def shown(plan: Plan, width: int = 100, needed: int = 0, runs: Sequence[Run] = ()) -> str:
    screen = Console(file=io.StringIO(), width=width, highlight=False, no_color=True)
    show_plan(screen, plan, "run/plan.json", needed, runs=runs)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


@pytest.mark.parametrize("width", [80, 100])
def test_no_line_of_the_human_view_is_wider_than_the_screen(width: int) -> None:
    assert max(map(len, shown(FULL, width).splitlines())) <= width


def test_the_worst_comes_last_at_a_terminal_and_first_in_a_merge_request() -> None:
    told = shown(FULL)
    places = [told.index(f" {level}") for level in ("pass ", "warn ", "unknown ", "stop ")]
    assert places == sorted(places)
    assert "2 thing(s) stand in the way" in told.splitlines()[-1]
    markdown = plan_markdown(FULL, 0)
    assert "2 things stand in the way" in markdown.splitlines()[2]
    places = [markdown.index(f"**{level}**") for level in ("stop", "unknown", "warn")]
    assert places == sorted(places)


def test_markdown_is_tables_that_what_was_read_can_not_break() -> None:
    markdown = plan_markdown(FULL, 0)
    (row,) = [line for line in markdown.splitlines() if "log_copies" in line]
    assert len(re.findall(r"(?<!\\)\|", row)) == 6
    assert "<b>" not in markdown
    for table in re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert "\n\n\n" not in markdown


def test_skips_and_approvals_are_shown_with_their_names() -> None:
    skips = [SKIP, msgspec.structs.replace(SKIP, guard="frontends")]
    plan = msgspec.structs.replace(FULL, skips=skips, findings=[marked(f, skips) for f in FINDINGS[:3]])
    approval = Approval(who="bob", at="2026-01-02T00:00:00+00:00", of=plan.digest)
    void = Approval(who="carol", at="2026-01-02T00:00:00+00:00", of="0" * 64)
    plan = msgspec.structs.replace(plan, approvals=[approval, void])
    told, markdown = shown(plan, needed=1), plan_markdown(plan, 1)
    for text in (told, markdown):
        assert "measured by hand" in text
        assert "alice" in text
        assert "frontends" in text
        assert "asked at the switch" in text
        assert "1 of 1 approvals" in text
    assert "Nothing stands in the way" in told
    assert "1 more are void" in told
    assert "(void: the plan has changed since)" in markdown
    assert "bmswitch plan approve --who NAME" in shown(plan, needed=2)


def test_the_differences_of_two_plans_are_named_by_part() -> None:
    volume = msgspec.structs.replace(PLAN.volume, records={"t": 5}, entries={"USER": 3})
    source = msgspec.structs.replace(PLAN.source, version="5.0.2")
    better = [FINDINGS[0], msgspec.structs.replace(STOP, level=Level.passed, cause="clocks agree")]
    approval = Approval(who="bob", at="", of=FULL.digest)
    old = msgspec.structs.replace(FULL, approvals=[approval])
    new = msgspec.structs.replace(old, source=source, volume=volume, findings=better, skips=[SKIP])
    found = {part.part: part.lines for part in plan_changes(old, new, ["budgets.hold was 5, is 7"])}
    assert found == {
        "sites": ["source version: was 5.0.1, is 5.0.2"],
        "configuration": ["budgets.hold was 5, is 7"],
        "volume": ["records in the log: 2, now 5 (+3)", "user: 0, now 3 (+3)"],
        "guards": [
            "log_copies: is not asked any more",
            "bucket_readable: is not asked any more",
            "clocks_agree: was stop, is pass: clocks agree",
        ],
        "decisions": ["alice skips clocks_agree: measured by hand", "void: the approval of bob"],
    }
    taken = Accepted(name="notes/subject", reason="edited", who="alice", at="", at_most=3)
    (part,) = plan_changes(old, msgspec.structs.replace(old, accepted=[taken], approvals=[]), [])
    assert "alice accepts notes/subject: edited" in part.lines
    assert plan_changes(old, old, []) == []
    assert "Nothing changed but the time." in changes_markdown(old, old, [])


def test_inventory_estimates_and_runs_are_shown_in_both_views() -> None:
    estimate = Estimate(low=600, likely=720, high=900, how="2 earlier runs of this site")
    planned = [msgspec.structs.replace(FULL.steps[1], estimate=estimate, limits=["it is compacted"])]
    machine = Machine(uid="bm-1", address="10.0.0.1", roles=["bm/core"], disks=[Disk("/", 1 << 40, 1 << 39)])
    domain = Domain(uid="a.test", users=48_000, mailboxes=48_120, entries=50_000)
    there = msgspec.structs.replace(
        THERE,
        source=msgspec.structs.replace(THERE.source, machines=[machine], domains=[domain]),
        nodes=[msgspec.structs.replace(THERE.nodes[0], connected={"http": 900, "imap": 20_001})],
        names=[PublicName(name="mail.a.test", addresses=["192.0.2.1"], ttl=300)],
    )
    strategy = choose(CASE, RULES)
    plan = msgspec.structs.replace(FULL, steps=planned, inventory=there, strategy=strategy)
    run_ = msgspec.structs.replace(RUN, at="2026-01-01T00:00:00+00:00", predicted=estimate, seconds=1000)
    told, markdown = shown(plan, runs=[run_]), plan_markdown(plan, 0, [run_])
    assert max(map(len, told.splitlines())) <= 100
    for text in (" ".join(told.split()), markdown):
        assert "about 12 min (10 min to 15 min): 2 earlier runs of this site" in text
        assert "48,000 users, 48,120 mailboxes" in text
        assert "512.0 GiB free of 1.0 TiB" in text
        assert "192.0.2.1, kept 5 min by resolvers" in text
        assert "17 min, outside of it" in text
        assert "20000 mail and 7 web open now; clients connected now: 900 http, 20001 imap" in text
        assert "it is compacted" in text
        assert "blue/green" in text


def test_a_time_that_hardly_moves_is_no_difference() -> None:
    def of(likely: float) -> Plan:
        estimate = Estimate(low=0, likely=likely, high=9e9, how="")
        return msgspec.structs.replace(
            FULL, steps=[msgspec.structs.replace(FULL.steps[2], estimate=estimate)]
        )

    assert plan_changes(of(100), of(110), []) == []
    (part,) = plan_changes(of(60 * 60), of(60 * 600), [])
    assert part.part == "steps"
    assert "verify: was about 60 min" in part.lines[0]
    assert "now about 10 h" in part.lines[0]


# --- the command --------------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A configuration with a plan file that fits it."""
    text = yaml.safe_load(EXAMPLE.read_text())
    text["run_dir"] = "run"
    config = tmp_path / "bmswitch.yaml"
    config.write_text(yaml.safe_dump(text))
    good = [msgspec.structs.replace(one, level=Level.passed) for one in FINDINGS]
    made = msgspec.structs.replace(FULL, findings=good, config_hash=config_hash(load_config(config)))
    save_plan(made, tmp_path / "run" / "plan.json")
    return config


def test_show_reads_no_site_and_speaks_three_languages(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", "show", "-c", str(site)]) == 0
    assert "Nothing stands in the way" in capsys.readouterr().out
    assert run(["plan", "show", "-c", str(site), "--output", "markdown"]) == 0
    assert capsys.readouterr().out.startswith(f"# bmswitch plan {PLAN.id}")
    assert run(["plan", "show", "-c", str(site), "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"]["id"] == PLAN.id


def test_options_before_the_word_are_refused_instead_of_dropped(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", "-c", str(site), "show"]) == 2
    assert "options go behind the word show" in capsys.readouterr().err


def test_skip_approve_and_diff_as_commands(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-c", str(site), "--output", "json"]
    assert run(["plan", "approve", "--who", "bob", *words]) == 0
    assert json.loads(capsys.readouterr().out)["result"]["approvals"][0]["who"] == "bob"
    assert run(["plan", "skip", "frontends", "--reason", "no route", "--who", "alice", *words]) == 0
    assert json.loads(capsys.readouterr().out)["result"]["skips"][0]["reason"] == "no route"
    assert run(["plan", "skip", "proof", "--reason", "late", "--who", "alice", *words]) == 8
    assert "never skipped" in json.loads(capsys.readouterr().out)["error"]["cause"]
    folder = site.parent / "run"
    save_plan(FULL, folder / "old.json")
    assert run(["plan", "diff", str(folder / "old.json"), str(folder / "plan.json"), *words]) == 0
    parts = {one["part"]: one["lines"] for one in json.loads(capsys.readouterr().out)["result"]["changes"]}
    assert "alice skips frontends: no route" in parts["decisions"]
    assert run(["plan", "diff", *words]) == 4
    assert "plan.previous.json" in json.loads(capsys.readouterr().out)["error"]["cause"]
