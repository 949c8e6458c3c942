"""Rules for the tests themselves."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.house.sources import (
    ROOMS,
    ROOT,
    expect_none,
    functions,
    imports,
    module_name,
    product_files,
    python_files,
    text,
    tree,
)

FREE = ("house", "scenarios", "simulation", "faults", "bench", "naive", "fakes", "conformance")
"""Folders under tests that follow a subject, not a source file."""
SUBJECTS = {"test_vectors.py", "test_bench.py"}  # given numbers for all kernels; the small form of a benchmark
SENTENCE_WORDS_MAX = 60


def _test_files() -> list[Path]:
    return [path for path in python_files() if path.parts[0] == "tests" and path.name.startswith("test_")]


def _mirror(path: Path) -> Path:
    """The source a test file stands for: tests/core/test_book.py → core/book.py."""
    return Path(*path.parts[1:-1], path.name.removeprefix("test_"))


def test_test_files_mirror_source_files():
    """Each test file stands where its source file stands."""
    wrong = [
        str(path)
        for path in _test_files()
        if path.parts[1] not in FREE and path.name not in SUBJECTS
        if not (ROOT / _mirror(path)).exists() and not (ROOT / _mirror(path).with_suffix("")).is_dir()
    ]
    expect_none(wrong)


def test_source_files_have_tests():
    """Each source file with functions has a test file of its name, or is imported by a test."""
    mirrored = {_mirror(path) for path in _test_files()}
    imported = {name for path in python_files() if path.parts[0] == "tests" for name in imports(path)}
    lonely = [
        str(path)
        for path in product_files()
        if path.parts[0] in ROOMS
        and path.name not in ("__init__.py", "__main__.py")
        and any(True for _ in functions(path))
        and path not in mirrored
        and module_name(path) not in imported
    ]
    expect_none(lonely)


def _tests():
    for path in _test_files():
        for node in functions(path):
            if node.name.startswith("test"):
                yield path, node


def test_every_test_states_its_claim():
    """Each test function has a docstring of one sentence."""
    wrong = []
    for path, node in _tests():
        claim = " ".join((ast.get_docstring(node) or "").split())
        if not claim.endswith((".", "»")) or len(claim.split()) > SENTENCE_WORDS_MAX:
            wrong.append(f"{path}:{node.lineno} {node.name}")
    expect_none(wrong)


def test_every_test_can_fail():
    """Each test function asserts, expects an error, or calls a helper that does."""
    wrong = []
    for path, node in _tests():
        source = ast.get_source_segment(text(path), node) or ""
        if not any(word in source for word in ("assert", "raises", "check", "expect", "fail")):
            wrong.append(f"{path}:{node.lineno} {node.name}")
    expect_none(wrong)


def test_no_test_waits_by_the_clock():
    """No test calls time.sleep: an event says when something happened."""
    wrong = [
        f"{path}:{node.lineno}"
        for path in _test_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "sleep"
        and getattr(node.func.value, "id", "") == "time"
    ]
    expect_none(wrong)


def _kernels():
    """Public compiled functions: (source file, name)."""
    for path in product_files():
        for node in functions(path):
            marks = {getattr(mark, "id", getattr(mark, "attr", "")) for mark in node.decorator_list}
            if marks & {"kernel", "door"} and not node.name.startswith("_"):
                yield path, node.name


def test_every_kernel_has_a_naive_twin():
    """Each public kernel has a function of its name in tests/naive, in the file of its module's name."""
    wrong = []
    for path, name in _kernels():
        twin = Path("tests", "naive", path.name)
        known = {node.name for node in functions(twin)} if (ROOT / twin).exists() else set()
        if name not in known:
            wrong.append(f"{path}: {name} has no twin in {twin}")
    expect_none(wrong)


def test_every_kernel_is_compared_with_its_twin():
    """Each public kernel is named in a test that imports the naive twins."""
    comparing = [text(path) for path in _test_files() if "naive" in text(path)]
    expect_none([f"{path}: {name}" for path, name in _kernels() if not any(name in source for source in comparing)])
