"""The boundaries and units (calibration) with which the classifiers of a job score, and the notes about them."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from jobs.flags import Spec, say
from pipeline.errors import SpecError
from pipeline.models import classifiers, generators
from pipeline.models.classifiers import Calibration, Family, calibration, tiny
from pipeline.models.generators import Generator
from pipeline.stages.models import ClassifierRef
from pipeline.tables import store


class CalibrationFlag(Spec):
    """Of verbs that score faces."""

    calibration: str | None = Field(
        None,
        description="calibration.json of stylemill calibrate: boundaries and units of scores. Default: those known "
        "for the generator, else those of the built-in generator, with a note.",
    )


class Constants:
    """Boundaries and units on faces of a generator: those of a file, else the generator's own, else the built-in
    generator's. A line says where they are another generator's.

    Raises:
        SpecError: there is no such file, or it is no calibration.
        StoreError: it cannot be read.
    """

    def __init__(self, generator: Generator, file: str | None = None) -> None:
        self.generator, self.file = generator, file
        self._said: set[str] = set()
        if file is None:
            self._found = calibration.of_generator(generator.fingerprint)
        elif (content := store.read_bytes(file)) is None:
            raise SpecError(f"--calibration {file}: there is no such file; stylemill calibrate writes one")
        else:
            self._found = Calibration.from_json(content, f"--calibration {file}")

    def of(self, family: str) -> Calibration | None:
        """Those of a family; None where it is a test network's, which needs none, or its file's has all of its own."""
        if classifiers.is_own(family) and classifiers.short_name(family) not in self._found.families:
            joined = classifiers.built_in(family)
            return None if classifiers.is_own(joined) else self.of(joined)
        if family in tiny.STANDS_IN and family not in self._found.families:
            return None
        if self._found.generator_digest != self.generator.fingerprint and family not in self._said:
            self._said.add(family)
            whose, mine = self._found.generator, self.generator.name
            known = f"{self.file} is of {whose}" if self.file else f"no constants are known for {mine}"
            say(
                f"Note  {family}: {known}, so those of {whose} are borrowed on faces of {mine}: boundaries and units "
                f"may be off. stylemill calibrate --generator {mine} --classifiers {family} --out DIR measures its "
                "own; then pass --calibration DIR/calibration.json"
            )
        return self._found

    def load(self, family: str, names: Sequence[str], measures: Sequence[str] | None = None) -> Family:
        """The family, by these constants. Raises as `classifiers.load`, and as `check_faces`."""
        check_faces(self.generator, family)
        return classifiers.load(family, names, measures=measures, calibration=self.of(family))


def check_faces(generator: Generator, family: str) -> None:
    """Raise SpecError where a family of classifiers of faces would look at what is not known to be a face. One of a
    user's own, which joins none of faces, looks at whatever its user says.
    """
    joined = classifiers.built_in(family)
    if joined in tiny.STANDS_IN or classifiers.is_own(joined) or generators.makes_aligned_faces(generator.name):
        return
    raise SpecError(
        f"{joined} scores faces that are aligned as those of FFHQ are, and of {generator.name} it is not known that it "
        "makes such: where it does, add faces=aligned to its name, as in --generator FILE#faces=aligned; where not, "
        "a classifier of your own (docs/own-classifiers.md), or labels of your own (a .csv with the column index), fit "
        "directions too"
    )


def about(generator: Generator, *refs: ClassifierRef) -> dict[str, Any]:
    """What a job records about its scores: what the columns mean, and the constants that they use."""
    columns = dict.fromkeys(name for ref in refs for name in (*ref.attributes, *ref.measures))
    known = {name: what for ref in refs for name, what in classifiers.meanings_of(ref.family.name).items()}
    meanings = {name: known[name] for name in columns}
    used = next((ref.calibration for ref in refs if ref.calibration), None)
    return {"meanings": meanings, **({"calibration": used.facts(generator.fingerprint)} if used else {})}
