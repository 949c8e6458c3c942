"""The repository as the house tests see it: its files, and its modules as syntax trees."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("config", "core", "data_collector", "exchange", "interface", "models", "research", "storage", "utils")
TEXT_SUFFIXES = {
    "",
    ".cfg",
    ".css",
    ".html",
    ".ini",
    ".js",
    ".json",
    ".lock",
    ".md",
    ".py",
    ".sh",
    ".toml",
    ".txt",
    ".yml",
}


@functools.cache
def files() -> tuple[Path, ...]:
    """Every file that belongs to the repository, tracked or new, relative to its root."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0:
        names = [Path(name) for name in listing.stdout.split("\0") if name]
    else:  # a copy without its history
        hidden = re.compile(r"(^|/)(\.venv|\.git/|\.[a-z_]+_cache|__pycache__|data/)")
        every = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
        names = [
            path for path in every if not hidden.search(path.as_posix()) or path.as_posix().startswith("tests/data")
        ]
    return tuple(sorted(path for path in names if (ROOT / path).is_file()))


@functools.cache
def text(path: Path) -> str:
    """The text of one of ``files()``."""
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


@functools.cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(text(path), filename=str(path))


def python_files() -> list[Path]:
    """All Python files."""
    return [path for path in files() if path.suffix == ".py"]


def product_files() -> list[Path]:
    """Python files of the product: not the tests."""
    return [path for path in python_files() if path.parts[0] != "tests"]


def module_name(path: Path) -> str:
    """``core/risk/gate.py`` → ``core.risk.gate``; a package's ``__init__`` has the package's name."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Modules a file imports anywhere in it, ``from a.b import c`` as both ``a.b`` and ``a.b.c``."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def expect_none(wrong: list[str]) -> None:
    """Fail with one finding a line, so that the reader sees all of them."""
    assert not wrong, f"{len(wrong)} found:\n" + "\n".join(sorted(wrong))
