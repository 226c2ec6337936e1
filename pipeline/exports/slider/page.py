"""The page: one file, which asks the network for nothing."""

import functools
from collections.abc import Sequence

import jinja2
from markupsafe import Markup

from pipeline import pages
from pipeline.exports.slider.faces import Face, percent, scores
from pipeline.exports.slider.pictures import Fitted

HERE = "pipeline.exports.slider"


def page(faces: Sequence[Face], fitted: Fitted) -> str:
    """fitted: of each picture of each face, in their order. Equal arguments give equal pages."""
    script = pages.text_of(HERE, "slider.js")
    return _template().render(
        attribute=faces[0].attribute,
        faces=faces,
        uris=iter(fitted.uris),
        pictures=fitted.said,
        methods=list(dict.fromkeys(line.method for face in faces for line in face.lines)),
        columns=max(len(face.lines) for face in faces) + 1,
        style=pages.styles(HERE, "slider.css"),
        script=Markup(script),
        script_hash=pages.hash_of(script),
    )


@functools.cache
def _template() -> jinja2.Template:
    """Compiled once in a process."""
    environment = pages.environment(HERE)
    environment.filters |= {"percent": percent, "scores": scores}
    environment.globals |= {"next": next}
    return environment.get_template("slider.html.j2")
