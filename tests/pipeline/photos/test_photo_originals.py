"""A photo read to be pasted into and written again: what is kept of its pixels and of what stands beside them."""

import io
import struct

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps

from pipeline.errors import SpecError
from pipeline.photos import originals
from pipeline.photos.decode import Unreadable

GPS = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (52.0, 31.0, 12.0)}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def pixels(height=40, width=56, channels=3, kind=np.uint8):
    values = np.random.default_rng(3).integers(0, np.iinfo(kind).max, (height, width, channels), kind, endpoint=True)
    return values[..., 0] if channels == 1 else values


def saved(image, format, **how):
    stream = io.BytesIO()
    image.save(stream, format, **how)
    return stream.getvalue()


def with_exif(orientation=1):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Artist] = "someone"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(GPS)
    return exif


@pytest.mark.parametrize(
    ("format", "channels"), [*(("PNG", channels) for channels in (1, 2, 3, 4)), ("WEBP", 3), ("WEBP", 4)]
)
def test_pixels_of_a_lossless_file_come_back(channels, format):
    image = Image.fromarray(pixels(channels=channels))
    content = saved(image, format, **({"lossless": True, "exact": True} if format == "WEBP" else {}))
    photo = originals.read(content)
    assert photo.pixels_HWC.shape == (40, 56, 1 if channels < 3 else 3)
    assert (photo.alpha_HW is not None) == (channels in (2, 4))
    again, written = originals.write(photo, "PNG")
    assert written == "PNG"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(again))), np.asarray(image))
    assert originals.write(photo)[1] == format


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_upright_and_says_so(orientation):
    image = Image.fromarray(pixels())
    content = saved(image, "PNG", exif=with_exif(orientation))
    wanted = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    photo = originals.read(content, "keep")
    np.testing.assert_array_equal(photo.pixels_HWC, np.asarray(wanted))
    again = Image.open(io.BytesIO(originals.write(photo)[0]))
    assert again.getexif()[ExifTags.Base.Orientation] == 1
    deep = pixels(kind=np.uint16)
    turned = originals._upright(deep, orientation)
    by_pillow = ImageOps.exif_transpose(Image.open(io.BytesIO(saved(Image.fromarray((deep >> 8).astype(np.uint8)),
                                                                    "PNG", exif=with_exif(orientation)))))  # fmt: skip
    np.testing.assert_array_equal((turned >> 8).astype(np.uint8), np.asarray(by_pillow))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_exif_is_kept_as_asked_and_gps_is_stripped_by_default(format):
    content = saved(Image.fromarray(pixels()), format, exif=with_exif())

    def found(**asked):
        again = originals.write(originals.read(content, **asked))[0]
        exif = Image.open(io.BytesIO(again)).getexif()
        return exif.get(ExifTags.Base.Artist), dict(exif.get_ifd(ExifTags.IFD.GPSInfo)), again

    assert found()[:2] == ("someone", {})
    artist, gps, _ = found(exif="keep")
    assert (artist, gps[ExifTags.GPS.GPSLatitudeRef]) == ("someone", "N")
    artist, gps, again = found(exif="none")
    assert (artist, gps) == (None, {})
    assert b"someone" not in again


def test_the_thumbnail_of_the_face_before_is_gone():
    thumbnail = saved(Image.new("RGB", (8, 8), (1, 200, 3)), "JPEG")
    entry = struct.Struct("<HHII")
    first = struct.pack("<H", 1) + entry.pack(ExifTags.Base.ImageWidth, 4, 1, 56) + struct.pack("<I", 8 + 18)
    offset = 8 + 18 + 2 + 2 * 12 + 4
    second = struct.pack("<H", 2) + entry.pack(0x0201, 4, 1, offset) + entry.pack(0x0202, 4, 1, len(thumbnail))
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + first + second + struct.pack("<I", 0) + thumbnail
    content = saved(Image.fromarray(pixels()), "JPEG", exif=exif)
    assert Image.open(io.BytesIO(content)).getexif().get_ifd(ExifTags.IFD.IFD1)[0x0202] == len(thumbnail)
    again = originals.write(originals.read(content, "keep"))[0]
    assert Image.open(io.BytesIO(again)).getexif()[ExifTags.Base.ImageWidth] == 56
    assert thumbnail not in again


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_the_colour_profile_is_kept(format):
    photo = originals.read(saved(Image.fromarray(pixels()), format, icc_profile=SRGB))
    again = Image.open(io.BytesIO(originals.write(photo)[0]))
    assert again.info["icc_profile"] == SRGB


def test_a_jpeg_is_encoded_by_its_own_tables():
    smooth = np.add.outer(np.arange(64), np.arange(96))[..., None] * np.array([1, 0.5, 1.2])
    for how in ({"quality": 61, "subsampling": 0}, {"quality": 93, "subsampling": 2}):
        content = saved(Image.fromarray(smooth.clip(0, 255).astype(np.uint8)), "JPEG", **how)
        again, written = originals.write(originals.read(content))
        before, after = Image.open(io.BytesIO(content)), Image.open(io.BytesIO(again))
        assert (written, after.quantization) == ("JPEG", before.quantization)
        assert abs(len(again) - len(content)) < 0.1 * len(content)
        assert np.abs(np.asarray(after).astype(int) - np.asarray(before)).mean() < 0.5


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_stay_sixteen(channels):
    av = pytest.importorskip("av")
    values = pixels(channels=channels, kind=np.uint16)
    shaped = values[..., None] if channels == 1 else values
    colours, alpha = (shaped, None) if channels < 4 else (shaped[..., :3], shaped[..., 3])
    exif = with_exif().tobytes()
    first = originals.write(originals.Original(colours.copy(), alpha, "PNG", SRGB, exif))[0]
    photo = originals.read(first)
    assert photo.pixels_HWC.dtype == np.uint16
    np.testing.assert_array_equal(photo.pixels_HWC, colours)
    again = originals.write(photo)[0]
    opened = Image.open(io.BytesIO(again))
    assert opened.info["icc_profile"] == SRGB
    assert opened.getexif()[ExifTags.Base.Artist] == "someone"
    with av.open(io.BytesIO(again)) as container:
        frame = next(container.decode(video=0))
    little = frame.reformat(format=frame.format.name.replace("be", "le")).to_ndarray()
    np.testing.assert_array_equal(little, values)
    if channels == 1:  # which Pillow reads whole
        np.testing.assert_array_equal(np.asarray(opened).astype(np.uint16), values)
    with pytest.raises(SpecError, match="write it as PNG"):
        originals.write(photo, "JPEG")


def test_other_kinds_become_what_can_be_written():
    rgb = Image.fromarray(pixels())
    palette = rgb.quantize(16)
    photo = originals.read(saved(palette, "GIF"))
    np.testing.assert_array_equal(photo.pixels_HWC, np.asarray(palette.convert("RGB")))
    assert originals.write(photo)[1] == "PNG"
    cmyk = originals.read(saved(rgb.convert("CMYK"), "JPEG"))
    assert (cmyk.pixels_HWC.shape, cmyk.profile) == ((40, 56, 3), None)
    assert originals.write(cmyk)[1] == "JPEG"
    transparent = palette.copy()
    transparent.info["transparency"] = 3
    assert originals.read(saved(transparent, "PNG", transparency=3)).alpha_HW is not None
    with pytest.raises(Unreadable, match="no bytes"):
        originals.read(b"")
    with pytest.raises(Unreadable, match="cannot be decoded"):
        originals.read(saved(rgb, "JPEG")[:300])


def test_a_photo_of_a_phone_with_a_second_picture_stays_a_jpeg():
    first, second = Image.fromarray(pixels()), Image.fromarray(pixels())
    content = saved(first, "MPO", save_all=True, append_images=[second], quality=90)
    assert Image.open(io.BytesIO(content)).format == "MPO"
    again, written = originals.write(originals.read(content))
    assert (written, Image.open(io.BytesIO(again)).format) == ("JPEG", "JPEG")


def test_a_picture_in_the_colours_of_a_profile():
    picture = pixels()
    np.testing.assert_array_equal(originals.in_profile(picture, None), picture)
    np.testing.assert_array_equal(originals.in_profile(picture, b"no profile"), picture)
    assert np.abs(originals.in_profile(picture, SRGB).astype(int) - picture).max() <= 1
