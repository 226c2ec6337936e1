"""From the bytes of a picture file to upright RGB pixels in sRGB, whatever the file is.

What is made of a file: its first frame, turned as EXIF says, over white where it is transparent, 16 bits scaled to 8,
CMYK and grey as RGB, and the colours of an embedded profile converted to sRGB.

Shapes: H and W the upright photo's pixels.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
"""What is opened, and with JPEG the MPO of phones. For some of the others Pillow would start a further program."""
MAX_PIXELS = 100_000_000
EMPTY, NOT_A_PICTURE, TRUNCATED, TOO_LARGE = "empty file", "not a picture", "damaged picture", "too many pixels"
UNSUPPORTED = "format not supported"
HEIC = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
"""The brands of ISO files with pictures that Pillow does not read."""
NO_PROFILE, UNREADABLE_PROFILE = "", "unreadable"
SIXTEEN_BITS = 257
"""65535 / 255."""


class Unreadable(ValueError):
    """No photo comes of the file. reason: a short constant that people count by; its text says what happened."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, eq=False)
class Photo:
    """pixels: (H, W, 3), upright, sRGB, uint8. The rest is of the file.

    format: as Pillow names it. mode: its pixels, as `RGB`, `CMYK`, `I;16`. orientation: EXIF's number, 1 to 8.
    profile: the description of its colour profile; empty where it has none, `unreadable` where that is damaged and the
    colours were taken for sRGB. frames: 1 unless it is animated or has several pages.
    """

    pixels: NDArray[np.uint8]
    format: str
    mode: str
    orientation: int
    profile: str
    frames: int

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])


def decode(content: bytes, max_pixels: int = MAX_PIXELS) -> Photo:
    """The photo of a file's bytes. Raises Unreadable as `opened`."""
    with opened(content, max_pixels) as image:
        facts = (str(image.format), image.mode)
        orientation, frames = _orientation(image), int(getattr(image, "n_frames", 1))
        profile = image.info.get("icc_profile")
        image.load()
        upright = ImageOps.exif_transpose(image)  # a TIFF has turned itself as it was loaded, and says so no more
        rgb, described = _as_srgb(upright, profile)
    return Photo(np.asarray(rgb), *facts, orientation, described, frames)


@contextmanager
def opened(content: bytes, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """A file's bytes as a picture of Pillow, whose pixels are not loaded yet.

    Raises Unreadable, here or while it is used, where it is empty, no picture, damaged, of a format that is not read,
    or has more pixels than `max_pixels`: that is known from its header, before memory is taken for them.
    """
    if not content:
        raise Unreadable(EMPTY, "the file has no bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow on large pictures and odd metadata
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                width, height = image.size
                if width * height > max_pixels:
                    what = f"{width} x {height} pixels, and {max_pixels / 1e6:g} megapixels are read at most"
                    raise Unreadable(TOO_LARGE, what)
                yield image
    except (Unreadable, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise _not_known(content) from error
    except Image.DecompressionBombError as error:
        raise Unreadable(TOO_LARGE, f"it has more than {max_pixels / 1e6:g} megapixels") from error
    except Exception as error:  # Pillow's readers raise whatever their parsing meets: struct.error, IndexError ...
        said = " ".join(str(error).split()) or type(error).__name__
        raise Unreadable(TRUNCATED, f"it cannot be decoded: {said[:300]}") from error


def _orientation(image: Image.Image) -> int:
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # EXIF of a damaged block: the pixels may be whole
        return 1
    return found if found in range(1, 9) else 1


def _as_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str]:
    """In RGB, and the description of the profile that its colours were given by."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    elif image.mode == "1":
        image = image.convert("L")
    alpha = None
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("L", "LA") else "RGBA")
        alpha = image.getchannel("A")
        image = image.convert("L" if image.mode == "LA" else "RGB")
    elif image.mode == "P":
        image = image.convert("RGB")
    image, described = in_srgb(image, profile)
    image = image.convert("RGB")
    if alpha is not None:
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(image, mask=alpha)
        image = white
    return image, described


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits, which Pillow's own conversion would clip to white."""
    values = np.asarray(image)
    if image.mode == "F" or values.min(initial=0) < 0 or values.max(initial=0) > 65535:
        raise Unreadable(UNSUPPORTED, f"pixels of the kind {image.mode}, which are not 8 or 16 bits: convert it first")
    return Image.fromarray(((values.astype(np.uint32) + SIXTEEN_BITS // 2) // SIXTEEN_BITS).astype(np.uint8))


def in_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str]:
    """By its colour profile to sRGB; a profile of sRGB itself changes no pixel."""
    if not profile:
        return image, NO_PROFILE
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        described = " ".join(ImageCms.getProfileDescription(own).split()) or "unnamed"
        if described.startswith("sRGB"):
            return image, described
        made = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image, UNREADABLE_PROFILE
    return (image if made is None else made), described


def _not_known(content: bytes) -> Unreadable:
    if content[4:8] == b"ftyp" and content[8:12] in HEIC:
        return Unreadable(UNSUPPORTED, "HEIC is not read: save it as JPEG, PNG, WebP or AVIF")
    return Unreadable(NOT_A_PICTURE, f"it begins with {content[:12]!r}, as no picture that is read does")
