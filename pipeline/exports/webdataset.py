"""WebDataset: tar archives of pictures, each with its labels as JSON beside it.

https://github.com/webdataset/webdataset: files of one sample have the same name up to the first dot.
"""

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pipeline.exports.format import Exported, Format, Picture, numbered


@dataclass(frozen=True)
class WebDataset(Format):
    """DIR/shards: a tar for each shard, with `000000012.jpg` and `000000012.json` of a picture, as it was encoded."""

    name: ClassVar[str] = "webdataset"
    about: ClassVar[str] = "tars for the loaders of WebDataset and Hugging Face"
    folder: ClassVar[str] = "shards"
    decodes: ClassVar[bool] = False
    loads: ClassVar[tuple[str, ...]] = ("shards/*.tar",)

    def files(self, pictures: Sequence[Picture], shard: int) -> Iterator[Exported]:
        """As `Format`. A shard without a picture is an empty tar, so that the numbers have no gap."""
        buffer, members = io.BytesIO(), dict[int, str]()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for place, picture in enumerate(pictures):
                sample = numbered(picture.key)
                members[place] = f"{sample}.{picture.extension}"
                _add(tar, members[place], picture.content)
                _add(tar, f"{sample}.json", json.dumps(picture.facts).encode())
        yield Exported(f"{shard:06d}.tar", buffer.getvalue(), members)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """As a file of nobody, written at no time: equal pictures make equal tars."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
