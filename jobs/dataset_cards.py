"""README.md beside exported pictures, or for a directory of tables as they are: a card that Hugging Face reads."""

from collections.abc import Mapping

import pyarrow as pa

from jobs.flags import say
from pipeline.engine.derived import DerivedFile
from pipeline.errors import OutputDiffers, StoreError
from pipeline.exports import Format
from pipeline.exports.format import CSV
from pipeline.report.dataset_card import Config, dataset_card
from pipeline.stages.export import EXPORTED, Shown, described
from pipeline.stages.joined import LabelFile
from pipeline.tables import Table, store

README = "README.md"
PHOTOS, FACE_NUMBER = "photos", "face_number"
"""The table, and the column of others, by which faces of photographs are told from generated ones."""
FIRST = ("images", "edit_images", "labels", "edits")
"""Tables that are most worth a look: the first that is there is loaded where none is named."""
ABOUT_CSV = f"`{CSV}` has a line for each picture, with what is known of it."
MADE_BY = "\n- stylemill\n"
"""What a card of ours has in its front matter; another README.md is not overwritten."""


def card_beside(out: str, format_: Format, pictured: Shown, command: str) -> DerivedFile:
    """DIR/README.md of exported pictures."""

    def content() -> bytes:
        found = described(out, pictured)
        faces = found["index"].nunique()
        whose = "faces in {:,} photographs" if FACE_NUMBER in found.columns else "{:,} generated faces"
        lead = [f"{len(found):,} pictures of {whose.format(faces)}: {format_.about}.", ABOUT_CSV]
        kinds = {str(name): str(kind) for name, kind in found.dtypes.items()}
        columns = {name: "string" if kind in ("object", "str") else kind for name, kind in kinds.items()}
        config = Config("default", format_.loads, len(found), columns)
        return dataset_card(_title(store.parent(pictured.tables[0].url)), lead, [config], _made_in(pictured), command)

    return DerivedFile(README, content, (EXPORTED,))


def write_card_of_tables(url: str, out: str, replace: bool) -> str:
    """Write OUT/README.md about the complete tables of a directory; its URL.

    Raises:
        OutputDiffers: there is a README.md that no card is, and it is not to be replaced.
        StoreError: there is no table, or one is not complete or cannot be read.
    """
    place = store.join(out, README)
    there = store.read_bytes(place)
    if there is not None and not replace and MADE_BY.encode() not in there:
        raise OutputDiffers(f"{place} is not a dataset card of stylemill; choose another --out, or pass --replace")
    names = [name for name in store.list_directories(url) if not name.startswith(".") and name != "rejects"]
    tables = {name: table for name in names if (table := Table(store.join(url, name))).parts()}
    if not tables:
        raise StoreError(f"{url} holds no table; check the path")
    order = sorted(tables, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
    configs = [_config(name, tables[name]) for name in order]
    if url.rstrip("/") != out.rstrip("/"):
        say(f"Note  {place} names the files of {url} by their paths below it: it is to be beside these tables")
    whose = "faces in photographs" if PHOTOS in tables else "generated faces"
    lead = [f"Tables of {whose}, in Parquet: rows of different tables belong together by `index`."]
    store.make_directory(out)
    store.write_atomic(place, dataset_card(_title(url), lead, configs, [url]))
    return place


def _config(name: str, table: Table) -> Config:
    rows = sum(record.rows for record in table.records())
    return Config(name, [f"{name}/*.parquet"], rows, _types(table.schema.arrow))


def _types(schema: pa.Schema) -> Mapping[str, str]:
    return {field.name: "image" if pa.types.is_struct(field.type) else _type(field.type) for field in schema}


def _type(kind: pa.DataType) -> str:
    if pa.types.is_fixed_size_list(kind):
        return f"{kind.list_size} x {_type(kind.value_type)}"
    names = {pa.float32(): "float32", pa.float64(): "float64"}
    return f"list of {_type(kind.value_type)}" if pa.types.is_list(kind) else names.get(kind, str(kind))


def _made_in(pictured: Shown) -> list[str]:
    """The directories whose jobs made the pictures, and what is known of them."""
    labels = [table.url for table in pictured.labels if not isinstance(table, LabelFile)]
    return [store.parent(url) for url in (*(table.url for table in pictured.tables), *labels)]


def _title(url: str) -> str:
    return store.resolve(url)[1].rstrip("/").rsplit("/", 1)[-1] or "faces"
