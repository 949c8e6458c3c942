"""Who may know whom (design §2)."""

from __future__ import annotations

import subprocess
import sys
import tomllib

from tests.house.sources import ROOMS, ROOT, expect_none, imports, module_name, product_files

NEIGHBOURS = ("data_collector", "exchange", "storage.cold")


def _within(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def test_import_contracts_hold():
    """The import-linter contracts of pyproject.toml hold."""
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_room_is_under_contract():
    """Each room that exists is a root package of the import contracts."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    roots = set(settings["tool"]["importlinter"]["root_packages"])
    assert {room for room in ROOMS if (ROOT / room / "__init__.py").exists()} == roots


def test_interface_knows_no_neighbour():
    """Only the commands of the interface import data_collector, exchange or storage.cold."""
    wrong = [
        f"{path} imports {name}"
        for path in product_files()
        if _within(module_name(path), "interface") and not _within(module_name(path), "interface.commands")
        for name in imports(path)
        if any(_within(name, room) for room in NEIGHBOURS)
    ]
    expect_none(wrong)


def test_composition_root_is_known_at_the_top_only():
    """Nobody but main.py and the commands imports wiring, and nobody imports main."""
    wrong = [
        f"{path} imports {name}"
        for path in product_files()
        for name in imports(path)
        if (name == "main" or _within(name, "wiring"))
        and str(path) != "main.py"
        and not (_within(module_name(path), "interface.commands") and name != "main")
        and not _within(module_name(path), "wiring")
    ]
    expect_none(wrong)


def test_product_does_not_know_its_tests():
    """No file of the product imports a test."""
    wrong = [f"{path} imports {name}" for path in product_files() for name in imports(path) if _within(name, "tests")]
    expect_none(wrong)


def test_start_needs_standard_library_only():
    """What runs before the environment exists imports nothing that must be installed."""
    code = (
        "import sys; sys.path.insert(0, '.'); import interface.commands.dispatch\n"
        "print([n for n in sys.modules if n.split('.')[0] not in sys.stdlib_module_names"
        " and n.split('.')[0] not in ('interface', 'config', 'models', 'utils', '__main__')])"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


DEFINITIONS = {f"core/kernels/{name}.py" for name in ("microprice", "robust", "shocks", "watermark", "windows")}
"""Definitions with published reference values (tests/core/test_vectors.py) whose readers are the data-trust model and
the studies. A module leaves this list when somebody imports it."""


def test_every_module_is_imported_by_somebody():
    """No module of the product is left that nothing imports; commands and ``__main__`` are started by name."""
    from interface.commands.parser import COMMANDS

    imported = {name for path in product_files() for name in imports(path)}
    started = {f"interface.commands.{path[0]}" for path in COMMANDS} | {"main"}
    orphans = [
        str(path)
        for path in product_files()
        if path.name not in ("__init__.py", "__main__.py") and module_name(path) not in imported | started
    ]
    expect_none(sorted(set(orphans) ^ DEFINITIONS))
