"""Many pictures on one, for a README or a notebook."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from pipeline.errors import SpecError

PAPER = (252, 251, 248)
INK = (70, 68, 64)


def contact_sheet(
    images: Sequence[Image.Image],
    columns: int,
    captions: Sequence[str] | None = None,
    *,
    side: int = 160,
    gap: int = 8,
) -> Image.Image:
    """Lay pictures out in rows of `columns`, each `side` px square, a caption under each if there are any.

    Raises:
        SpecError: no pictures, fewer than one column, or as many captions as pictures are not given.
    """
    if not images or columns < 1:
        raise SpecError(f"a contact sheet needs pictures and columns: {len(images)} pictures, {columns} columns given")
    if captions is not None and len(captions) != len(images):
        raise SpecError(f"{len(captions)} captions for {len(images)} pictures; give one for each, or none")
    font = ImageFont.load_default(size=max(side / 12, 9))
    line = 0 if captions is None else round(side / 12 * 1.9)
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * (side + gap) + gap, rows * (side + line + gap) + gap), PAPER)
    draw = ImageDraw.Draw(sheet)
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        left, top = gap + column * (side + gap), gap + row * (side + line + gap)
        sheet.paste(square(image, side), (left, top))
        if captions is not None:
            draw.text((left + side / 2, top + side + line / 2), captions[place], fill=INK, font=font, anchor="mm")
    return sheet


def square(image: Image.Image, side: int) -> Image.Image:
    """The picture's middle square, resized to `side` px, in RGB."""
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    return image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS, box=(left, top, left + edge, top + edge))
