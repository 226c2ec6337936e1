"""The commands of the README, of docs/ and of the helps are commands."""

import fnmatch
import re
import shlex
import typing
from pathlib import Path

import pytest
import tyro

from jobs import models, subverbs
from jobs.__main__ import VERBS
from jobs.flags import Spec, command_of, parse
from jobs.remote import checked, spec_of

ELSEWHERE = ("demo", "submit")
"""Verbs whose flags the blocks of the pages need not show: `make demo`; `submit` is looked at below."""


def all_verbs() -> list[str]:
    """Of the lists of verbs, of verbs below a verb, and of editors; but for `models`, which has no spec."""
    found = []
    for verb in VERBS.keys() - {"models"}:
        module = subverbs.module_of(verb)
        below = getattr(module, "VERBS", None) or getattr(module, "SPECS", None)
        found += [verb] if below is None else [f"{verb} {name}" for name in below]
    return sorted(found)


SPECS = [verb for verb in all_verbs() if verb not in ELSEWHERE]
MANY = ("edit", "reproduce")
"""Whose list grows: no page need show each, and its help has an example."""
OF_NETWORKS = ("dataset", "sample", "label", "edit", "measure", "dt")
ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = [
    shlex.split(line, comments=True)
    for page in PAGES
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    for line in re.findall(r"^stylemill (.*)$", block.replace("\\\n", " "), re.MULTILINE)
]
SENT = [words[words.index("--") + 1 :] for words in COMMANDS if words[0] == "submit"]


def kind_of(verb: str) -> type[Spec]:
    return spec_of(verb.split())[0]


@pytest.mark.parametrize("verb", SPECS)
def test_every_verb_is_shown_and_can_be_pasted(verb):
    size = len(verb.split())
    shown = [words[size:] for words in COMMANDS if " ".join(words[:size]) == verb]
    assert shown or verb.split()[0] in MANY, "neither README nor docs/ shows such a command"
    kind = kind_of(verb)
    for words in shown:
        if "--spec" not in words:  # a file that the block writes before
            assert isinstance(parse(kind, words), kind)


def test_the_readme_is_short_and_its_links_lead_somewhere():
    assert len(PAGES[0].read_text().splitlines()) <= 200
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_what_is_sent_to_a_cluster_can_be_sent_and_says_on_which_device():
    assert SENT
    for words in SENT:
        there = [word.replace("$PWD", "/home/me") for word in words]
        assert checked(there) == there
        assert there[0] not in OF_NETWORKS or "--device" in there


def test_the_lines_on_networks_can_be_pasted():
    shown = [words[1:] for words in COMMANDS if words[0] == "models"]
    assert shown
    for words in shown:
        tyro.cli(models.Verb, args=words)


@pytest.mark.parametrize("verb", [*SPECS, *ELSEWHERE])
def test_the_example_of_each_help_can_be_pasted(verb):
    kind = kind_of(verb)
    [example] = re.findall(rf"Example: stylemill {verb} (.*)", kind.__doc__)
    words = shlex.split(example)
    assert isinstance(parse(kind, words[: words.index("--")] if verb == "submit" else words), kind)


@pytest.mark.parametrize("verb", [*SPECS, *ELSEWHERE])
def test_a_spec_is_written_as_the_command_that_asks_for_it(verb):
    kind, size = kind_of(verb), len(verb.split())
    [example] = re.findall(rf"Example: stylemill {verb} (.*)", kind.__doc__)
    shown = [shlex.split(example), *(words[size:] for words in COMMANDS if " ".join(words[:size]) == verb)]
    for words in shown:
        if "--spec" not in words and "--" not in words:
            spec = parse(kind, words)
            said = command_of(spec)
            assert said[:size] == verb.split()
            assert parse(kind, said[size:]) == spec


@pytest.mark.parametrize("kind", [typing.get_args(kind)[0] for kind in typing.get_args(models.Verb)])
def test_the_example_of_each_help_on_networks_can_be_pasted(kind):
    [example] = re.findall(r"Example: stylemill models (.*)", kind.__doc__)
    assert isinstance(tyro.cli(models.Verb, args=shlex.split(example)), kind)


def test_an_image_leaves_out_what_git_leaves_out():
    left_out, ignored = (
        [line.removeprefix("**/").strip("/") for line in (ROOT / file).read_text().splitlines() if line[:1] != "#"]
        for file in (".dockerignore", ".gitignore")
    )
    assert ignored
    assert [name for name in ignored if not any(fnmatch.fnmatch(name, pattern) for pattern in left_out)] == []
    needed = ("jobs", "pipeline", "schemas", "pyproject.toml", "constraints.txt", "README.md")
    assert [name for name in needed if any(fnmatch.fnmatch(name, pattern) for pattern in left_out)] == []
