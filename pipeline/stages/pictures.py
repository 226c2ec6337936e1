"""Pictures as files: PNG (exact), JPEG and WebP (smaller)."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from schemas import TableSchema

Format = Literal["png", "jpeg", "webp"]
NO_PICTURES = {"images": "none", "size": None, "quality": None}
EXTENSIONS = {"png": "png", "jpeg": "jpg", "webp": "webp"}


@dataclass(frozen=True)
class Keep:
    """Which pictures are kept: file format, pixels of a side, and quality (JPEG and WebP)."""

    format: Format
    size: int
    quality: int = 95

    @property
    def facts(self) -> dict[str, str | int | None]:
        """What decides the bytes of a picture; a PNG has no quality."""
        return {"images": self.format, "size": self.size, "quality": None if self.format == "png" else self.quality}

    def encode(self, pixels_HW3: NDArray[np.uint8]) -> bytes:
        """One picture as a whole file of this format."""
        file = io.BytesIO()
        options: dict[str, int] = {"compress_level": 4} if self.format == "png" else {"quality": self.quality}
        Image.fromarray(pixels_HW3).save(file, self.format.upper(), **options)
        return file.getvalue()

    def rows(
        self, schema: TableSchema, path: str, columns: Mapping[str, NDArray], pixels_NHW3: NDArray[np.uint8]
    ) -> Callable[[], pa.Table]:
        """Rows of a table with an `image`, encoded when they are asked for: on the writing thread.

        path: of a picture, without its extension, by the columns: "{index:09d}-{step:02d}".
        """

        def table() -> pa.Table:
            values = zip(*(column.tolist() for column in columns.values()), strict=True)
            paths = [path.format(**dict(zip(columns, row, strict=True))) for row in values]
            pictures = [
                {"bytes": self.encode(pixels), "path": f"{name}.{EXTENSIONS[self.format]}"}
                for name, pixels in zip(paths, pixels_NHW3, strict=True)
            ]
            return schema.rows({**columns, "image": pictures})

        return table
