"""Settings and their documentation say the same."""

from __future__ import annotations

import ast
import re
import tomllib

import pytest

from config.load import HERE, LEAVES, load
from config.settings import Settings
from tests.house.sources import ROOT, expect_none, product_files, tree

LATER = ("api.", "telegram.", "storage.", "ui.", "interface.", "metrics.", "app.lang", "app.timezone")
"""Keys whose readers come with the faces; ``config.rules`` refuses to switch those parts on until then."""
ENFORCED = {"risk.stop_loss_pct", "strategy.model"}  # their whole effect is a rule of ``config.rules``


def _lines():
    section = ""
    for line in (HERE / "default.toml").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\[(.+)\]", line):
            section = match.group(1)
        elif match := re.match(r"(\w+)\s*=", line):
            yield f"{section}.{match.group(1)}", line


def test_every_key_stands_in_default_toml():
    """default.toml holds exactly the keys of the settings, in their order."""
    assert [key for key, _ in _lines()] == list(LEAVES)


def test_every_key_has_a_comment():
    """Each line of default.toml says unit or choices and a reason."""
    expect_none([key for key, line in _lines() if len(line.partition(" # ")[2].split()) < 2])


def test_default_toml_repeats_the_built_in_defaults(tmp_path):
    """Settings without default.toml and with it are the same."""
    assert load(environment={}, folder=tmp_path).settings == Settings()


@pytest.mark.parametrize("name", ["owner", "aggressive"])
def test_default_profiles_change_nothing(name, tmp_path):
    """The profiles that are the default repeat the defaults."""
    profile = tomllib.loads((HERE / "profiles" / f"{name}.toml").read_text(encoding="utf-8"))
    section = "hypothesis" if name == "aggressive" else "risk"
    merged = load(environment={}, overrides=[f"{section}.profile={name}"], folder=tmp_path)
    assert (list(profile), merged.settings) == ([section], Settings())


def test_every_key_is_read_by_somebody():
    """Each setting is read somewhere outside config; until the program is wired there is nothing to look at."""
    if not (ROOT / "wiring").exists():
        pytest.skip("wiring, which hands the settings to their readers, does not exist")
    read = {
        node.attr
        for path in product_files()
        if path.parts[0] != "config" and path.parts[:3] != ("interface", "commands", "config.py")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
    }
    unread = [
        key
        for key in LEAVES
        if key.rpartition(".")[2] not in read and not key.startswith(LATER) and key not in ENFORCED
    ]
    expect_none(unread)
