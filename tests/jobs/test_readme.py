"""The commands of the README are commands."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

from jobs.flags import parse

SPECS = {
    "dataset": "jobs.dataset:DatasetSpec",
    "sample": "jobs.sample:SampleSpec",
    "label": "jobs.label:LabelSpec",
    "directions fit": "jobs.directions.fitting:FitSpec",
    "directions compare": "jobs.directions.compare:CompareSpec",
    "directions condition": "jobs.directions.condition:ConditionSpec",
    "directions import": "jobs.directions.importing:ImportSpec",
    "directions export": "jobs.directions.exporting:ExportSpec",
    "edit": "jobs.edit.spec:EditSpec",
    "measure": "jobs.measure:MeasureSpec",
    "reproduce interfacegan": "jobs.reproduce.interfacegan:InterfaceganSpec",
    "report": "jobs.report:ReportSpec",
}
README = Path(__file__).parents[2] / "README.md"
COMMANDS = [
    shlex.split(line, comments=True)
    for block in re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
    for line in re.findall(r"^stylemill (.*)$", block.replace("\\\n", " "), re.MULTILINE)
]


@pytest.mark.parametrize("verb", SPECS)
def test_every_verb_is_shown_and_can_be_pasted(verb):
    size = len(verb.split())
    shown = [words[size:] for words in COMMANDS if " ".join(words[:size]) == verb]
    assert shown
    module, name = SPECS[verb].split(":")
    kind = getattr(importlib.import_module(module), name)
    for words in shown:
        if "--spec" not in words:  # a file that the block writes before
            assert isinstance(parse(kind, verb, words), kind)
