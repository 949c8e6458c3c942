"""`config show|check|init|schema`."""

import json
import os
import tomllib

import pytest

from config.load import LEAVES, load
from config.settings import Settings
from interface.commands import config
from interface.commands.loading import loaded
from interface.commands.parser import parse
from models.error import ConfigurationError


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty working folder, no variables."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("SCALPER_"):
            monkeypatch.delenv(name)


def ran(capsys, *words):
    """Exit code and output of a config command."""
    arguments = parse(["config", *words])
    return config.run(arguments, None), capsys.readouterr().out


def test_show_lists_every_key_with_its_origin(capsys):
    """Each key stands on a line of its own with value and origin, and the page is TOML."""
    code, out = ran(capsys, "show", "--set", "risk.leverage=3")
    assert (code, tomllib.loads(out)["risk"]["leverage"]) == (0, 3)
    assert "# --set risk.leverage" in out
    assert sum("  # " in line for line in out.splitlines()) == len(LEAVES)


def test_show_as_json_is_one_document(capsys):
    """The JSON form holds settings, origins, files and variables."""
    _, out = ran(capsys, "show", "--json")
    document = json.loads(out)
    assert (set(document), set(document["origins"])) == ({"settings", "origins", "files", "environment"}, set(LEAVES))


def test_check_says_what_was_changed(capsys):
    """Good settings are confirmed with the keys that differ from the defaults."""
    code, out = ran(capsys, "check", "--set", "risk.leverage=3", "--json")
    assert (code, json.loads(out)) == (0, {"ok": True, "changed": {"risk.leverage": "--set risk.leverage"}})


def test_check_fails_on_a_mistake():
    """Bad settings raise the error that lists them."""
    with pytest.raises(ConfigurationError, match=r"risk\.leverage is 'x'"):
        config.run(parse(["config", "check", "--set", "risk.leverage=x"]), None)


def test_init_changes_nothing(capsys, tmp_path):
    """The written file names every key and leaves every setting as it is."""
    assert ran(capsys, "init") == (0, "wrote ./scalper.toml\n")
    merged = load(environment={}, folder=tmp_path)
    assert (merged.settings, set(merged.origins.values())) == (Settings(), {"default"})
    lines = (tmp_path / "scalper.toml").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith("# ") and " = " in line for line in lines) == len(LEAVES)


def test_init_never_overwrites(tmp_path):
    """An existing file stays, and the user is told."""
    (tmp_path / "scalper.toml").write_text("# mine\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="exists and stays as it is"):
        config.run(parse(["config", "init"]), None)
    assert (tmp_path / "scalper.toml").read_text(encoding="utf-8") == "# mine\n"


def test_schema_describes_every_section(capsys):
    """The schema is JSON, refuses unknown keys, and names each key's variable."""
    _, out = ran(capsys, "schema")
    schema = json.loads(out)
    assert set(schema["$defs"]["Settings"]["properties"]) == {key.split(".")[0] for key in LEAVES}
    assert schema["$defs"]["Risk"]["additionalProperties"] is False
    assert schema["x-keys"]["risk.leverage"]["variable"] == "SCALPER_RISK__LEVERAGE"


def test_effective_settings_read_back():
    """The settings written for a run give the same settings again."""
    arguments = parse(["--set", "risk.profile=cautious", "--set", "feed.symbols=BTCUSDT,ETHUSDT"])
    merged = loaded(arguments)
    with open("again.toml", "w", encoding="utf-8") as file:
        file.write(config.effective_toml(merged))
    assert load(configs=["again.toml"], environment={}).settings == merged.settings


def test_options_reach_the_settings():
    """Options of the command line are the highest layer but for --set."""
    settings = loaded(parse(["--lang", "en", "--data-dir", "d", "--feed", "embedded"])).settings
    assert (settings.app.lang, settings.app.data_dir, settings.feed.source) == ("en", "d", "embedded")
