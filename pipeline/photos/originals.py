"""A photo to paste into: its own pixels, depth and colour profile, upright; and the file of them again.

JPEG, PNG and WebP keep their format; others become PNG. PNG keeps 16 bits and every pixel that is not pasted over. A
JPEG is encoded again with its own tables, which moves pixels a little; `format="PNG"` keeps them.

Shapes: H and W the upright photo's pixels, C channels: 1 of a grey photo, else 3.
"""

import io
import struct
import zlib
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps

from pipeline.errors import SpecError
from pipeline.photos.decode import MAX_PIXELS, UNSUPPORTED, Unreadable, in_srgb, opened

Kept = Literal["keep", "strip", "none"]
"""Of EXIF: all; all but where it was taken; nothing. The orientation is 1 afterwards: the pixels are upright."""
FORMATS = ("JPEG", "PNG", "WEBP")
WEBP_QUALITY = 95
SIGNATURE = b"\x89PNG\r\n\x1a\n"
DEPTH_AT, IHDR_END = 24, 33
"""In a PNG: the place of the bits of a channel, and the end of its header."""
DEEP = {1: "gray16", 2: "ya16", 3: "rgb48", 4: "rgba64"}
"""FFmpeg's names of pixels of 16 bits, without the order of bytes, by channels."""


@dataclass(frozen=True, eq=False)
class Original:
    """pixels_HWC: uint8 or uint16, writable. alpha_HW: of a picture with transparency. format: of its file. profile:
    the ICC profile of its colours. exif: as it is to be written. tables: of a JPEG, and how its colours are sampled."""

    pixels_HWC: NDArray[Any]  # noqa: N815
    alpha_HW: NDArray[Any] | None  # noqa: N815
    format: str
    profile: bytes | None = None
    exif: bytes = b""
    tables: dict[str, Any] = field(default_factory=dict)


def read(content: bytes, exif: Kept = "strip", max_pixels: int = MAX_PIXELS) -> Original:
    """The photo of a file's bytes. CMYK becomes RGB in sRGB, and a palette its colours; else no pixel is changed.

    Raises:
        Unreadable: as `decode`, and where it has 16 bits a colour and PyAV, which reads these, is not installed.
    """
    with opened(content, max_pixels) as image:
        about, profile = image.getexif(), image.info.get("icc_profile")
        tables: dict[str, Any] = {}
        kind = "JPEG" if image.format == "MPO" else str(image.format)  # several JPEGs in a file, as phones make them
        if kind == "JPEG" and image.mode != "CMYK":
            tables = {"qtables": getattr(image, "quantization", None), "subsampling": _subsampling(image)}
        if _is_deep(content):
            values_HWC = _upright(_deep(content), about.get(ExifTags.Base.Orientation, 1))
            colours, alpha = _split(values_HWC)
            return Original(colours, alpha, "PNG", profile, _exif(about, exif))
        image.load()
        upright = ImageOps.exif_transpose(image)
        if upright.mode in ("CMYK", "LAB", "YCbCr"):
            upright, profile = in_srgb(upright, profile)[0].convert("RGB"), None
        upright = _plain(upright)
        values = np.array(upright)
        colours, alpha = _split(values[..., None] if values.ndim == 2 else values)
        return Original(colours, alpha, kind, profile, _exif(about, exif), tables)


def write(photo: Original, format: str | None = None) -> tuple[bytes, str]:
    """The file of it, and its format.

    Raises SpecError where its pixels have 16 bits, or are transparent, and the format has not.
    """
    chosen = format or (photo.format if photo.format in FORMATS else "PNG")
    deep = photo.pixels_HWC.dtype == np.uint16
    if (chosen != "PNG" and deep) or (chosen == "JPEG" and photo.alpha_HW is not None):
        what = "16 bits a colour" if deep else "transparent pixels"
        raise SpecError(f"the photo has {what}, and {chosen} has none: write it as PNG")
    parts = [photo.pixels_HWC] + ([] if photo.alpha_HW is None else [photo.alpha_HW[..., None]])
    values_HWC = np.concatenate(parts, axis=2)
    if deep:
        return _written_deep(values_HWC, photo), chosen
    image = Image.fromarray(values_HWC[..., 0] if values_HWC.shape[2] == 1 else values_HWC)
    how: dict[str, Any] = {"icc_profile": photo.profile} if photo.profile else {}
    if photo.exif:
        how["exif"] = photo.exif
    if chosen == "JPEG":
        how |= photo.tables if photo.tables.get("qtables") else {"quality": 95}
    elif chosen == "WEBP":
        how["quality"] = WEBP_QUALITY
    stream = io.BytesIO()
    image.save(stream, chosen, **how)
    return stream.getvalue(), chosen


def in_profile(picture_SS3: NDArray[np.uint8], profile: bytes | None) -> NDArray[np.uint8]:
    """A picture in sRGB, in the colours of a photo's profile; as it is where that has none, or none that is read."""
    if not profile:
        return picture_SS3
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        made = ImageCms.profileToProfile(
            Image.fromarray(picture_SS3), ImageCms.createProfile("sRGB"), own, outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return picture_SS3
    return picture_SS3 if made is None else np.asarray(made)


def _exif(about: Image.Exif, kept: Kept) -> bytes:
    """As bytes, upright; empty where nothing is kept. `about` is changed."""
    if kept == "none":
        return b""
    about[ExifTags.Base.Orientation] = 1
    if kept == "strip" and ExifTags.IFD.GPSInfo in about:
        del about[ExifTags.IFD.GPSInfo]
    try:
        return about.tobytes() if len(about) > 1 else b""
    except Exception:  # a damaged block, of which Pillow's writer raises whatever it meets: the pixels are whole
        return b""


def _subsampling(image: Image.Image) -> Any:
    from PIL.JpegImagePlugin import get_sampling

    return get_sampling(image)


def _plain(image: Image.Image) -> Image.Image:
    """With pixels that can be pasted over: grey or RGB, with transparency or without."""
    if image.mode in ("1", "F") or image.mode.startswith("I"):
        if image.mode != "1":
            raise Unreadable(UNSUPPORTED, f"pixels of the kind {image.mode}, which cannot be written again: convert it")
        return image.convert("L")
    if image.mode in ("L", "LA", "RGB", "RGBA") and not (image.mode in ("L", "RGB") and image.has_transparency_data):
        return image
    if image.mode == "L":
        return image.convert("LA")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _split(values_HWC: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Colours, and transparency where there is a channel for it."""
    channels = values_HWC.shape[2]
    if channels in (1, 3):
        return np.ascontiguousarray(values_HWC), None
    return np.ascontiguousarray(values_HWC[..., : channels - 1]), values_HWC[..., channels - 1]


# -- PNG of 16 bits, which Pillow reads and writes as 8 ---------------------------------------------------------------


def _is_deep(content: bytes) -> bool:
    return content.startswith(SIGNATURE) and content[DEPTH_AT : DEPTH_AT + 1] == b"\x10"


def _deep(content: bytes) -> NDArray[np.uint16]:
    """(H, W, 1 to 4) as stored."""
    try:
        import av
    except ImportError as error:
        raise Unreadable(UNSUPPORTED, "16 bits a colour: run `pip install 'stylemill[video]'` to keep them") from error
    try:
        with av.open(io.BytesIO(content)) as container:
            frame = next(container.decode(video=0))
            name = frame.format.name.removesuffix("be").removesuffix("le")
            values = frame.reformat(format=f"{name}le").to_ndarray()
    except (av.FFmpegError, StopIteration, ValueError) as error:
        raise Unreadable(UNSUPPORTED, f"a PNG of 16 bits that FFmpeg does not read: {error}") from error
    return values[..., None] if values.ndim == 2 else values


def _upright(values_HWC: NDArray[Any], orientation: int) -> NDArray[Any]:
    """As EXIF's number says: mirrored, then turned."""
    turned = {1: (0, False), 2: (0, True), 3: (2, False), 4: (2, True),
              5: (1, True), 6: (3, False), 7: (3, True), 8: (1, False)}  # fmt: skip
    quarters, mirrored = turned.get(orientation, (0, False))
    return np.rot90(values_HWC[:, ::-1] if mirrored else values_HWC, quarters)


def _written_deep(values_HWC: NDArray[np.uint16], photo: Original) -> bytes:
    """A PNG by FFmpeg, with the profile and EXIF behind its header."""
    import av

    height, width, channels = values_HWC.shape
    given = np.ascontiguousarray(values_HWC[..., 0] if channels == 1 else values_HWC)
    frame = av.VideoFrame.from_ndarray(given, format=f"{DEEP[channels]}le").reformat(format=f"{DEEP[channels]}be")
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, f"{DEEP[channels]}be"
    encoder.time_base = Fraction(1, 1)
    png = b"".join(bytes(packet) for packet in encoder.encode(frame))
    chunks = b""
    if photo.profile:
        chunks += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(photo.profile))
    if photo.exif:
        chunks += _chunk(b"eXIf", photo.exif.removeprefix(b"Exif\0\0"))
    return png[:IHDR_END] + chunks + png[IHDR_END:]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
