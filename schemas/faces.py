"""`faces`: one row, one face that was found in a photo, where it is, and how good it is."""

import pyarrow as pa

from schemas.encodings import rows_in_group
from schemas.table_schema import TableSchema

VERSION = 1
KEY = ("index", "face_number")


def faces() -> TableSchema:
    """The schema of a table of faces. Places are pixels of the upright photo, x before y.

    index        int64    of the photo
    face_number  int64    from 0, the largest face of the photo first
    left, top, right, bottom  float32  the detector's box, where pixel i covers [i, i + 1]
    score        float32  the detector's, 0 to 1
    points       FSL<FSL<float32>[2]>[68]  landmarks in iBUG's order, where pixel i has its centre at i
    quad         FSL<FSL<float32>[2]>[4]   the square that FFHQ's alignment cuts out, from its top left corner
                 anticlockwise: the transform from the photo to the aligned picture and back
    size         float32  pixels of a side of that square
    roll_degrees, yaw_degrees  float32  turned in the picture, clockwise; turned to the right of the picture
    sharpness    float32  variance of the Laplacian of the face, its square reduced to 128 px
    inside       float32  share of the points that lie within the photo
    left_out     string   why it has no picture; empty where it has one

    Rows rise by (index, face_number).
    """
    pair = pa.list_(pa.float32(), 2)
    fields = [
        *(pa.field(name, pa.int64()) for name in KEY),
        *(pa.field(name, pa.float32()) for name in ("left", "top", "right", "bottom", "score")),
        pa.field("points", pa.list_(pair, 68)),
        pa.field("quad", pa.list_(pair, 4)),
        *(pa.field(name, pa.float32()) for name in ("size", "roll_degrees", "yaw_degrees", "sharpness", "inside")),
        pa.field("left_out", pa.string()),
    ]
    return TableSchema.of("faces", VERSION, fields, rows_in_group(fields), key=KEY)
