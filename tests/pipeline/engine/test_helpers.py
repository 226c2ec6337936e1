"""Parts of a step by helpers: in order whoever computed them, and whoever dies."""

from collections import Counter

import pytest

from pipeline.engine import helpers
from pipeline.engine.cluster import WorkerDied
from pipeline.engine.helpers import HelperGroup
from pipeline.engine.pool import DEATHS
from pipeline.engine.worker_deaths import cause


class MadeUpHelpers:
    """Helpers that are ready at the next wait, and give 10 times the part. Those in `dying` die of each part."""

    def __init__(self, dying=(), silent=()) -> None:
        self.dying, self.silent, self.started, self.stopped = dying, silent, 0, []
        self.results: dict[str, object] = {}
        self.parts: Counter = Counter()

    def start(self):
        name, self.started = f"helper {self.started}", self.started + 1
        self.results[f"{name} opens"] = None
        return name, f"{name} opens"

    def compute(self, helper, part):
        reference = f"{helper} part {part} try {sum(self.parts.values())}"
        self.parts[helper] += 1
        number = int(helper.split()[1])
        if number not in self.silent:
            self.results[reference] = (
                WorkerDied(cause("ActorDiedError", "killed")) if number in self.dying else 10 * part
            )
        return reference

    def stop(self, helper):
        self.stopped.append(helper)

    def wait(self, references, seconds):
        return [reference for reference in references if reference in self.results]

    def result(self, reference):
        found = self.results.pop(reference)
        if isinstance(found, WorkerDied):
            raise found
        return found


def computed(cluster, most, parts=6, steps=4):
    here, group = [], HelperGroup(cluster, most)
    for _ in range(steps):
        given = list(range(parts))
        assert group.compute(given, lambda part: here.append(part) or 10 * part) == [10 * part for part in given]
    group.close()
    return here


def test_helpers_and_the_worker_itself_share_the_parts():
    cluster = MadeUpHelpers()
    here = computed(cluster, 2)
    assert cluster.started == 2
    assert set(cluster.parts) == {"helper 0", "helper 1"}
    assert 0 < len(here) < 24
    assert len(here) + sum(cluster.parts.values()) == 24
    assert sorted(cluster.stopped) == ["helper 0", "helper 1"]


def test_no_more_are_started_than_there_are_parts_for():
    cluster = MadeUpHelpers()
    assert len(computed(cluster, 9, parts=1)) == 4
    assert cluster.started == 0
    computed(cluster, 9, parts=3)
    assert cluster.started == 2


def test_what_a_dead_helper_had_is_computed_again_and_it_is_replaced():
    cluster = MadeUpHelpers(dying={0})
    computed(cluster, 2)
    assert "helper 0" in cluster.stopped
    assert cluster.parts["helper 2"] > 0


def test_where_all_die_the_worker_goes_on_alone():
    cluster = MadeUpHelpers(dying=range(100))
    here = computed(cluster, 2)
    assert len(here) == 24
    assert cluster.started <= DEATHS + 1


def test_a_helper_that_is_silent_is_given_up(monkeypatch):
    monkeypatch.setattr(helpers, "LEAST_PATIENCE_SECONDS", 0.0)
    cluster = MadeUpHelpers(silent={0})
    computed(cluster, 1)
    assert "helper 0" in cluster.stopped


def test_an_error_of_a_part_comes_from_the_worker_itself():
    def broken(part):
        raise ValueError("no such code")

    with pytest.raises(ValueError, match="no such code"):
        HelperGroup(MadeUpHelpers(dying={0}), 1).compute([1, 2], broken)
