"""Pictures as files that people carry away: encoded pictures in, files out. One file a format, and a line in this list.

`FORMATS` holds each by its name, `--format NAME`.
"""

from pipeline.exports.files import Files
from pipeline.exports.format import Exported, Format, Picture, Undecodable
from pipeline.exports.gif import Gif
from pipeline.exports.mp4 import Mp4
from pipeline.exports.sheet import Sheet
from pipeline.exports.slider import Slider
from pipeline.exports.webdataset import WebDataset
from pipeline.exports.webp import WebP

FORMATS: dict[str, type[Format]] = {
    kind.name: kind
    for kind in (
        Files,
        WebDataset,
        Sheet,
        Gif,
        WebP,
        Mp4,
        Slider,
    )
}

__all__ = ["FORMATS", "Exported", "Format", "Picture", "Undecodable"]
