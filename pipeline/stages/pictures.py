"""Pictures as files: PNG (exact), JPEG and WebP (smaller)."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

import schemas

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

    def rows(self, index: NDArray[np.int64], pixels_NHW3: NDArray[np.uint8]) -> Callable[[], pa.Table]:
        """Rows of an images table, encoded when they are asked for: on the writing thread."""

        def table() -> pa.Table:
            pictures = [
                {"bytes": self.encode(pixels), "path": f"{number:09d}.{EXTENSIONS[self.format]}"}
                for number, pixels in zip(index.tolist(), pixels_NHW3, strict=True)
            ]
            return pa.table({"index": index, "image": pictures}, schema=schemas.images().arrow)

        return table
