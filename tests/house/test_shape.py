"""Sizes, words and places that scripts keep (design §11)."""

from __future__ import annotations

import ast
import re
import tomllib

import pytest

from config.version import VERSION
from tests.house.sources import (
    ROOT,
    expect_none,
    files,
    functions,
    module_name,
    product_files,
    python_files,
    text,
    tree,
)

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60
MODE_WORDS = {"live", "paper", "backtest", "replay"}
MODELESS = ("core", "models", "storage.hot", "data_collector")
LOOSE_ENDS = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "X" * 3, "Not" + "Implemented", "place" + "holder"]))
MACHINE_PATHS = re.compile("|".join(["/wo" + "rk/[a-z]", "/ro" + "ot/", "/t" + "mp/[a-z]", "/home/[a-z]"]))
INDEX_HOSTS = re.compile(
    "|".join(["py" + r"pi\.", "python" + "hosted", "--index" + "-url", "--extra" + "-index"]), re.I
)
SYSTEM_TEXT = {"Dockerfile", "docker-compose.yml"}


def test_no_file_is_too_long():
    """No Python file of the product has more than 600 lines."""
    expect_none([f"{path}: {n}" for path in product_files() if (n := text(path).count("\n")) > FILE_LINES_MAX])


def test_no_function_is_too_long():
    """No function of the product has more than 60 lines."""
    long = [
        f"{path}:{node.lineno} {node.name}: {size}"
        for path in product_files()
        for node in functions(path)
        if (size := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]
    expect_none(long)


def _identifiers(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.value.lineno, node.arg
        elif isinstance(node, ast.alias):
            yield node.lineno, node.asname or node.name


def words_of(identifier: str) -> set[str]:
    """The words of a snake_case or CamelCase identifier."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", identifier)}


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [("is_live", {"is", "live"}), ("PaperTerms", {"paper", "terms"}), ("alive_ns", {"alive", "ns"})],
)
def test_identifiers_fall_into_words(identifier, expected):
    """An identifier is judged by its whole words."""
    assert words_of(identifier) == expected


def test_modes_are_unknown_inside():
    """No identifier and no file name of the inner rooms has a mode's word in it."""
    inner = [path for path in product_files() if any(f"{module_name(path)}.".startswith(f"{r}.") for r in MODELESS)]
    wrong = [
        f"{path}:{line} {name}" for path in inner for line, name in _identifiers(path) if words_of(name) & MODE_WORDS
    ]
    wrong += [str(path) for path in inner if words_of(path.stem) & MODE_WORDS]
    expect_none(wrong)


def test_approved_orders_come_from_the_gate():
    """Only core/risk/gate.py constructs an ApprovedOrder."""
    makers = {
        str(path)
        for path in product_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "ApprovedOrder"
    }
    assert makers <= {"core/risk/gate.py"}


def test_nothing_is_left_undone_in_words():
    """No file says that something is still to be done."""
    wrong = [
        f"{path}:{number}"
        for path in files()
        if path.suffix in (".py", ".md") and path.parts[:2] != ("docs", "decisions")
        for number, line in enumerate(text(path).splitlines(), 1)
        if LOOSE_ENDS.search(line)
    ]
    expect_none(wrong)


def test_no_machine_is_named():
    """No file names a path of one machine or the host of a package index."""
    wrong = [
        f"{path}:{number}: {line.strip()[:80]}"
        for path in files()
        if path.parts[:2] != ("tests", "data")
        for number, line in enumerate(text(path).splitlines(), 1)
        if INDEX_HOSTS.search(line) or (MACHINE_PATHS.search(line) and path.name not in SYSTEM_TEXT)
    ]
    expect_none(wrong)


def test_every_public_module_says_what_it_is():
    """Each Python file of the product begins with a docstring."""
    expect_none([str(path) for path in product_files() if not ast.get_docstring(tree(path))])


def test_errors_are_not_swallowed():
    """No handler of every exception passes in silence."""
    wrong = [
        f"{path}:{node.lineno}"
        for path in python_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException"))
        and len(node.body) == 1
        and isinstance(node.body[0], (ast.Pass, ast.Continue))
    ]
    expect_none(wrong)


def test_version_is_said_once():
    """pyproject.toml and config/version.py name the same version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == VERSION


def test_locks_pin_with_hashes():
    """Every requirement of a lock file is exact and carries hashes."""
    for path in files():
        if path.suffix == ".lock":
            blocks = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"^#.*\n", "", text(path), flags=re.MULTILINE).strip())
            assert all("==" in block and "--hash=sha256:" in block for block in blocks), path
