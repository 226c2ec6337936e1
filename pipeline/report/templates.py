"""The environment of the pages' templates."""

import jinja2


def environment() -> jinja2.Environment:
    """Templates are the files of this package; what they do not know is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.report", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
