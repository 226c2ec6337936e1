"""What all HTML pages have in common: their style, the environment of their templates, and how a script gets in.

A page asks the network for nothing, and its own content security policy forbids it to: a script runs only with its hash
in that policy.
"""

import base64
import hashlib
from importlib import resources

import jinja2
from markupsafe import Markup

__all__ = ["environment", "hash_of", "styles", "text_of"]


def environment(package: str) -> jinja2.Environment:
    """Templates are the files of this package; what they do not know is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package, ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def text_of(package: str, name: str) -> str:
    """A file of a package."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def styles(package: str, *names: str) -> Markup:
    """The style of all pages, and these files of a package after it."""
    return Markup("\n".join([text_of("pipeline.pages", "page.css"), *(text_of(package, name) for name in names)]))


def hash_of(script: str) -> str:
    """What a policy allows it by."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
