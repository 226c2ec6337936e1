"""Files that people complain about, made here: what comes out is compared with the pixels that went in."""

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image, ImageCms

from pipeline.photos import decode as decoding
from pipeline.photos.decode import Unreadable, decode

H, W = 40, 64
SMOOTH = np.stack(
    [
        np.linspace(20, 230, W)[None].repeat(H, 0),
        np.linspace(10, 200, H)[:, None].repeat(W, 1),
        np.full((H, W), 90.0),
    ],
    axis=2,
).astype(np.uint8)
"""Each corner is another colour: a turned or mirrored picture is told from an upright one."""
GREY = SMOOTH[..., 0]


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def stored_as(orientation: int) -> np.ndarray:
    """SMOOTH as a camera that is held that way stores it (EXIF 2.32, tag 0x0112: where row 0 and column 0 are)."""
    turned = {
        1: SMOOTH, 2: SMOOTH[:, ::-1], 3: SMOOTH[::-1, ::-1], 4: SMOOTH[::-1], 5: SMOOTH.transpose(1, 0, 2),
        6: np.rot90(SMOOTH, 1), 7: np.rot90(SMOOTH.transpose(1, 0, 2), 2), 8: np.rot90(SMOOTH, -1),
    }  # fmt: skip
    return np.ascontiguousarray(turned[orientation])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_every_orientation_comes_out_upright(orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    photo = decode(saved(Image.fromarray(stored_as(orientation)), kind, exif=exif, **options))
    assert photo.orientation == orientation
    np.testing.assert_array_equal(photo.pixels, SMOOTH)


def test_an_orientation_that_exif_does_not_know_is_upright():
    exif = Image.Exif()
    exif[0x0112] = 77
    assert decode(saved(Image.fromarray(SMOOTH), exif=exif)).orientation == 1


HALF = np.full((H, W), 128, np.uint8)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_lies_on_white(mode):
    whole = np.dstack([SMOOTH if mode == "RGBA" else GREY, HALF])
    colours = SMOOTH if mode == "RGBA" else GREY[..., None].repeat(3, 2)
    found = decode(saved(Image.fromarray(whole))).pixels
    np.testing.assert_allclose(found, colours * (128 / 255) + 255 * (127 / 255), atol=1)


def test_a_transparent_colour_of_a_palette_lies_on_white():
    image = Image.fromarray(np.repeat(np.arange(4, dtype=np.uint8)[None], 4, 0), "P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    found = decode(saved(image, transparency=1)).pixels
    assert found[0].tolist() == [[255, 0, 0], [255, 255, 255], [0, 0, 255], [9, 9, 9]]


def test_grey_of_16_bits_is_scaled_and_not_clipped():
    values = np.linspace(0, 65535, H * W).reshape(H, W).astype(np.uint16)
    found = decode(saved(Image.fromarray(values))).pixels
    np.testing.assert_allclose(found[..., 0], values / 257, atol=0.51)
    tiff = decode(saved(Image.fromarray(values), "TIFF")).pixels
    np.testing.assert_array_equal(tiff, found)


def png(width: int, height: int, bits: int, colour: int, rows: bytes) -> bytes:
    """A PNG as its specification has it, of what Pillow does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_rgb_of_16_bits_is_read():
    values = SMOOTH.astype(">u2") * 257
    content = png(W, H, 16, 2, b"".join(b"\0" + row.tobytes() for row in values))
    np.testing.assert_array_equal(decode(content).pixels, SMOOTH)


def test_floating_point_is_refused_in_words():
    with pytest.raises(Unreadable, match="not 8 or 16 bits") as error:
        decode(saved(Image.fromarray(SMOOTH[..., 0].astype(np.float32)), "TIFF"))
    assert error.value.reason == decoding.UNSUPPORTED


def test_cmyk_comes_out_as_rgb():
    cmyk = Image.fromarray(SMOOTH).convert("CMYK")
    for kind, options in (("JPEG", {"quality": 98, "subsampling": 0}), ("TIFF", {})):
        photo = decode(saved(cmyk, kind, **options))
        assert photo.mode == "CMYK"
        np.testing.assert_allclose(photo.pixels.astype(int), SMOOTH, atol=8)


@pytest.mark.parametrize("mode", ["L", "1", "P"])
def test_every_kind_of_pixel_has_three_channels(mode):
    image = Image.fromarray(SMOOTH).convert(mode)
    np.testing.assert_array_equal(decode(saved(image)).pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_is_taken(kind):
    frames = [Image.new("RGB", (W, H), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if kind == "WEBP" else {}
    photo = decode(saved(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    assert photo.frames == 3
    assert photo.pixels[5, 5].tolist() == [255, 0, 0]


def test_another_colour_profile_is_converted_and_srgb_changes_nothing():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = decode(saved(Image.fromarray(SMOOTH), icc_profile=srgb))
    assert photo.profile.startswith("sRGB")
    np.testing.assert_array_equal(photo.pixels, SMOOTH)
    lab = Image.fromarray(SMOOTH)
    other = saved(lab, icc_profile=swapped(srgb))
    photo = decode(other)
    assert photo.profile == "swapped"
    np.testing.assert_allclose(photo.pixels.astype(int), SMOOTH[..., [2, 1, 0]], atol=3)


def swapped(srgb: bytes) -> bytes:
    """The profile with its red and blue exchanged, and of another name."""
    count = struct.unpack(">I", srgb[128:132])[0]
    table = bytearray(srgb)
    for place in range(count):
        at = 132 + 12 * place
        names = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}
        name = bytes(srgb[at : at + 4])
        table[at : at + 4] = names.get(name, name)
    text = "sRGB".encode("utf-16-be")
    at = bytes(table).find(text)
    while at >= 0:
        end = at
        while table[end : end + 2] != b"\0\0" and 32 <= table[end + 1] < 127 and table[end] == 0:
            end += 2
        new = "swapped".ljust((end - at) // 2).encode("utf-16-be")[: end - at]
        table[at:end] = new
        at = bytes(table).find(text)
    return bytes(table)


def test_a_damaged_profile_is_told_and_the_pixels_stay():
    photo = decode(saved(Image.fromarray(SMOOTH), icc_profile=b"no profile at all"))
    assert photo.profile == decoding.UNREADABLE_PROFILE
    np.testing.assert_array_equal(photo.pixels, SMOOTH)


JPEG = saved(Image.fromarray(np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)), "JPEG")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", decoding.EMPTY),
        (b"this is a text file named .jpg", decoding.NOT_A_PICTURE),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", decoding.NOT_A_PICTURE),
        (JPEG[: len(JPEG) // 2], decoding.TRUNCATED),
        (saved(Image.fromarray(SMOOTH))[:-40], decoding.TRUNCATED),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", decoding.UNSUPPORTED),
    ],
    ids=["empty", "text", "postscript", "half a JPEG", "short PNG", "HEIC"],
)
def test_what_is_no_picture_is_refused_with_its_reason(content, reason):
    with pytest.raises(Unreadable) as error:
        decode(content)
    assert error.value.reason == reason
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("side", [10_001, 60_000])
def test_a_decompression_bomb_is_refused_by_its_header(side):
    content = png(side, side, 8, 2, b"\0")
    with pytest.raises(Unreadable, match="megapixels") as error:
        decode(content)
    assert error.value.reason == decoding.TOO_LARGE


def test_the_limit_on_pixels_can_be_set():
    content = saved(Image.fromarray(SMOOTH))
    assert decode(content, max_pixels=H * W).width == W
    with pytest.raises(Unreadable, match=f"{W} x {H} pixels"):
        decode(content, max_pixels=H * W - 1)


def test_no_cut_of_a_file_raises_anything_else():
    """Every format, cut anywhere: it decodes or is refused."""
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "PPM"):
        content = saved(Image.fromarray(SMOOTH), kind)
        for stop in np.linspace(1, len(content) - 1, 25).astype(int):
            with suppress(Unreadable):
                assert decode(content[:stop]).pixels.shape == (H, W, 3)
