"""The Python of the README and of docs/ runs in the environment that `make demo` makes."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from edits import HOW

from jobs.__main__ import main
from tests.waiting import LONG

ROOT = Path(__file__).parents[2]
ELSEWHERE = ("editors.md", "add-an-editor.md")
"""Their snippets, which need one another, are run by tests/pipeline/editors/test_docs.py and test_add_an_editor.py."""
PAGES = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if page.name not in ELSEWHERE]
SNIPPETS = [code for page in PAGES for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)]
WEIGHTS = "generators.load"
"""In a snippet that needs the networks."""


def requirements(words: list[str]) -> set[str]:
    """Names of packages, without versions and extras, in lower case."""
    return {re.split(r"[<>=!~\[; ]", word)[0].lower().replace("_", "-") for word in words}


def of_make_demo() -> set[str]:
    """The packages that `make demo` installs by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (extras,) = re.findall(r"/\.fetch:.*\n\t\$\(PIP\) -e '\.\[([\w,]+)\]'", (ROOT / "Makefile").read_text())
    optional = [word for extra in extras.split(",") for word in project["optional-dependencies"][extra]]
    return requirements([*project["dependencies"], *optional])


def imported(code: str) -> set[str]:
    """Top-level modules."""
    nodes = list(ast.walk(ast.parse(code)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {name.split(".")[0] for name in plain | {node.module for node in nodes if isinstance(node, ast.ImportFrom)}}


def test_all_that_the_snippets_import_is_installed_by_make_demo():
    packages = metadata.packages_distributions()
    assert len(SNIPPETS) >= 3
    for code in SNIPPETS:
        for module in imported(code) - {"pipeline", "jobs", "schemas"}:
            assert requirements(packages[module]) & of_make_demo(), f"{module} is in no package that make demo installs"


@pytest.mark.parametrize("real", [False, pytest.param(True, marks=(pytest.mark.weights, pytest.mark.slow))])
def test_each_snippet_runs(made, faces, edited, tmp_path, real, monkeypatch):
    """One process for those that need the networks and one for the others, since starting takes longest."""
    (tmp_path / "out").mkdir()
    for name, folder in {"faces": made, "others-judged": faces, "older": edited}.items():
        shutil.copytree(folder, tmp_path / "out" / name)
    monkeypatch.chdir(tmp_path)
    assert main(["export", "out/faces", "--format", "card", "--out", "out/faces"]) == 0
    measured = ["--families", "tiny-judge", "--out", "out/older-measured", *HOW]
    assert main(["measure", "--edits", "out/older/edits", *measured]) == 0
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    some = [code for code in SNIPPETS if (WEIGHTS in code) == real]
    program = f"for code in {some!r}: exec(compile(code, code, 'exec'), {{'__name__': '__main__'}})"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        timeout=LONG,
    )  # fmt: skip
    assert some
    assert ended.returncode == 0, ended.stderr
