"""`stylemill photos edit`: photos in, edited photos out: aligned, inverted, edited and pasted, with a page of each."""

from collections.abc import Sequence

from jobs.flags import one_line, parse, say
from jobs.launch import command
from jobs.locations import absolute
from jobs.options import RunFlags
from jobs.photos.edit_cost import say_cost
from jobs.photos.edit_spec import PhotosEditSpec
from jobs.reproduce.faces import fit_sparse, label_faces
from jobs.reproduce.study import step, steps_kept
from pipeline.editors import config_of
from pipeline.errors import SpecError
from pipeline.models import generators
from pipeline.models.classifiers import attributes_of
from pipeline.photos.decode import Unreadable
from pipeline.report import photo_edits
from pipeline.stages import kept_artifacts
from pipeline.stages.models import read_artifact
from pipeline.stages.photo_sources import SOURCES, Listing, list_photos

STEP_SHARE = 5
"""An editor that goes in steps takes so many for a standard deviation of the labelled faces."""


def main(argv: Sequence[str]) -> int:
    """Run all steps, each of which goes on where it stopped, and write the page; the exit code."""
    spec = parse(PhotosEditSpec, argv)
    with one_line():
        listing = list_photos(absolute(spec.photos), spec.column)
        _check_artifact(spec)
        _ = spec.aligned, spec.inverted, spec.edited(None), spec.pasted  # their flags, before hours of work
        for space in spec.spaces_of_directions:
            spec.check_from(spec.attribute, space)
        say_cost(spec, listing)
        if spec.dry_run:
            return 0
        with steps_kept() as commands:
            length = prepare(spec)
            run_steps(spec, length)
    named = {name: spec.url(name) for name in ("aligned", "inverted", "edited", "pasted")}
    page = photo_edits.write(spec.url("report.html"), _shown(listing), named, spec.shown, command(), commands)
    say(f"Page  {page}")
    return 0


def _shown(listing: Listing) -> photo_edits.Photos:
    """For the page."""

    def content(index: int) -> bytes | None:
        found = next(iter(SOURCES[listing.kind].read(listing, [index])))
        return None if isinstance(found, Unreadable) else found

    return photo_edits.Photos(len(listing), lambda index: listing.between(index, index + 1)[0].name, content)


def prepare(spec: PhotosEditSpec) -> float | None:
    """The directions that the editor needs; the length of its steps, None where it takes none or it was given."""
    config = config_of(spec.editor)
    if not config.TAKES_DIRECTIONS:
        return None
    if spec.from_ is None:
        label_faces(spec, spec.labelled, ("w",), spec.attribute, attributes_of(spec.classifiers))
        if "s" in spec.spaces_of_directions:
            fit_sparse(spec, spec.labelled_faces, spec.attribute, "--attribute, or how many faces are labelled")
    if config.COMPARED is None or not config.COMPARED.length:
        return None
    units = [spec.labelled_faces.unit("w", name) for name in spec.attribute]
    return float(f"{max(units) / STEP_SHARE:.2g}")


def run_steps(spec: PhotosEditSpec, step_size: float | None) -> None:
    """Align, invert, edit, paste. Raises as `step`."""
    steps: list[tuple[RunFlags, str]] = [
        (spec.aligned, "--align-flags"),
        (spec.inverted, "--invert-flags"),
        (spec.edited(step_size), "--edit-flags"),
        (spec.pasted, "--paste-flags"),
    ]
    for one, flags in steps:
        step(one, f"{flags} or the flags of the run")


def _check_artifact(spec: PhotosEditSpec) -> None:
    """Raise SpecError before hours of work where what was trained for the editor takes other codes than an inversion
    finds."""
    what = config_of(spec.editor).ARTIFACT
    if what is None:
        return
    url = spec.artifact or kept_artifacts.find(what, generators.load(spec.generator, backend="eager"))
    codes = None if url is None else read_artifact(url, what).card.codes
    if url is None or (codes is not None and codes.space != "w+"):
        found = "none is kept" if url is None else f"that of {url} was trained on codes in {codes and codes.space}"
        raise SpecError(
            f"--artifact: {spec.editor} needs one that was trained on codes in w+, as photos have them; {found}: train "
            f"one with stylemill train {what} --space w+, or choose another --editor"
        )
