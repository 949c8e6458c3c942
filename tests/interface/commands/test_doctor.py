"""`doctor`: findings, fixes, exit code."""

import json
import os

import pytest

from interface.commands import doctor
from interface.commands.parser import parse
from models.error import PreflightError


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty working folder, no variables of ours, no network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    for name in list(os.environ):
        if name.startswith("SCALPER_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(doctor, "_venue_offset_ms", lambda url: None)


def examined(capsys, *words):
    """Exit code and rows by name of `doctor --json`."""
    code = doctor.run(parse(["doctor", "--json", *words]), None)
    document = json.loads(capsys.readouterr().out)
    return code, {row["name"]: row for row in document["rows"]}, document


def test_a_good_machine_passes(capsys):
    """With the defaults nothing fails and the exit code is 0."""
    code, rows, document = examined(capsys)
    failed = [name for name, row in rows.items() if row["state"] == "FAIL"]
    assert (code, document["ok"], failed) == (0, True, [])


def test_the_numbers_are_told(capsys):
    """Break-even edge, cost of a stop and distance of liquidation stand in the document, for 8 lots at 77,000."""
    facts = examined(capsys)[2]["economics"][0]
    assert (facts["lots"], facts["notional_e8"], facts["stop_cost_e8"]) == (8, 616_00000000, 31_41600000)
    assert (round(facts["break_even_bps"], 2), round(facts["liquidation_pct"], 2)) == (10.01, 9.64)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["--set", "risk.equity_usdt=5"], "minimum order"),
        (["--set", "risk.leverage=50"], "liquidation"),
        (["--set", "risk.leverge=1"], "settings"),
        (["--set", "feed.source=binance"], "venue"),
        (["--data-dir", "file"], "data folder"),
    ],
)
def test_failures_come_with_a_fix(capsys, tmp_path, words, name):
    """A failed row has a fix and makes the exit code 4."""
    (tmp_path / "file").touch()
    code, rows, document = examined(capsys, *words)
    assert (code, document["ok"], rows[name]["state"]) == (4, False, "FAIL")
    assert rows[name]["fix"]


def test_open_secrets_fail(capsys, tmp_path):
    """Secrets that others can read are a failure that names them."""
    folder = tmp_path / "data" / "secrets"
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    (folder / "api_token").touch(0o644)
    _, rows, _ = examined(capsys)
    assert (rows["secrets"]["state"], rows["secrets"]["detail"]) == ("FAIL", "readable by others: api_token")


@pytest.mark.parametrize(("answer", "state"), [((20, 5), "ok"), ((400, 5), "warn"), ((-1_500, 5), "FAIL")])
def test_clock_offset_is_judged(capsys, monkeypatch, answer, state):
    """An offset beyond 250 ms warns, beyond a second fails, its uncertainty taken off."""
    monkeypatch.setattr(doctor, "_venue_offset_ms", lambda url: answer)
    assert examined(capsys)[1]["clock offset"]["state"] == state


def test_contract_without_copy_is_a_warning(capsys):
    """A contract whose filters are unknown here is no failure: the venue tells them."""
    _, rows, _ = examined(capsys, "--set", "feed.symbols=SOLUSDT")
    assert rows["contract SOLUSDT"]["state"] == "warn"


def test_unknown_time_zone_is_a_mistake_of_the_settings(capsys):
    """A zone that no machine knows fails the row of the settings, with its key."""
    _, rows, _ = examined(capsys, "--set", "app.timezone=Mars/Olympus")
    assert (rows["settings"]["state"], "app.timezone is 'Mars/Olympus'" in rows["settings"]["detail"]) == ("FAIL", True)


def test_a_machine_without_time_zones_is_a_warning(capsys, no_time_zones):
    """Where the system has no time zone data, times are shown in UTC, with the way to mend it."""
    _, rows, _ = examined(capsys)
    assert (rows["time zone"]["state"], bool(rows["time zone"]["fix"])) == ("warn", True)


def test_text_form_ends_with_the_failed_rows(capsys):
    """Without --json every row is printed with its fix, then the failure is raised."""
    with pytest.raises(PreflightError, match="checks failed: minimum order"):
        doctor.run(parse(["doctor", "--set", "risk.equity_usdt=5"]), None)
    assert "fix: raise risk.equity_usdt" in capsys.readouterr().out


def test_venue_that_answers_nonsense_is_no_answer(monkeypatch):
    """An address that refuses gives None, never an exception."""
    monkeypatch.undo()
    assert doctor._venue_offset_ms("http://127.0.0.1:9") is None
