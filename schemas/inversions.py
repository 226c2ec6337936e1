"""`inversions`: one row, one face of a photo whose code was found, and how alike both pictures are."""

import pyarrow as pa

from schemas.encodings import rows_in_group
from schemas.table_schema import TableSchema

VERSION = 1
NUMBERS = ("lpips_alex", "lpips_vgg", "identity", "psnr", "ssim", "agreement")


def inversions() -> TableSchema:
    """The schema of a table of inverted faces. Pictures are compared at 512 px, or the generator's size if less.

    index        int64    place of the face among the aligned pictures of its source, as in `latents`
    photo        int64    index of the photo there
    face_number  int64    of the face there
    steps        int64    that were taken
    lpips_alex, lpips_vgg  float32  perceptual distances at 256 px; 0 for equal pictures
    identity     float32  cosine of the embeddings by fr-feature; 1 for equal pictures
    identity_dlib  float32  distance of the embeddings by dlib, below 0.6 for one person; null where dlib sees no face
                 in one of the pictures
    psnr         float32  dB, of pixels in [0, 1]
    ssim         float32  structural similarity
    agreement    float32  share of the attributes whose score is on the same side of 0 in both pictures
    differ       string   the other attributes, separated by commas
    """
    fields = [
        *(pa.field(name, pa.int64()) for name in ("index", "photo", "face_number", "steps")),
        *(pa.field(name, pa.float32()) for name in NUMBERS[:3]),
        pa.field("identity_dlib", pa.float32()),
        *(pa.field(name, pa.float32()) for name in NUMBERS[3:]),
        pa.field("differ", pa.string()),
    ]
    return TableSchema.of("inversions", VERSION, fields, rows_in_group(fields), nullable=("identity_dlib",))
