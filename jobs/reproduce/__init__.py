"""`stylemill reproduce`: a paper's experiments on another generator, on a page beside the paper's numbers.

Another paper is one file here, and one line in VERBS: its flags (a `StudySpec`), its steps (specs of other verbs, each
run by `step`), its claims, and its `Page` of what `pipeline.report` draws. What papers have in common is in the other
files.
"""

VERBS = {
    "interfacegan": ("interfacegan", "InterFaceGAN (Shen et al., CVPR 2020): Tables 1 to 3, Sec. 3.3 and 3.4"),
    "style-intervention": (
        "style_intervention",
        "Style Intervention (Liu et al., 2020): Tables 1 and 2, Fig. 2, 5 and 6",
    ),
    "ials": ("ials", "IALS (Han et al., IJCAI 2021): Table 1, Fig. 3, 4, 11 and 12"),
    "latent-transformer": (
        "latent_transformer",
        "Latent Transformer (Yao et al., ICIP 2021): Table 1, Fig. 3 and 4, C against a linear C",
    ),
    "id-style": ("id_style", "ID-Style (Mohammadbagheri et al., 2023): Tables 1 to 3, Fig. 4, 6 and 9"),
}
