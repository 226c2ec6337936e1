"""`stylemill directions`: fit, list, condition, strips, compare, import and export directions in latent space."""

VERBS = {
    "fit": ("fitting", "fit directions on labelled latents, or find them without labels"),
    "list": ("listing", "list directions, and how well they were fitted"),
    "condition": ("condition", "project other directions out of one"),
    "channels": ("channels", "make directions of the style channels that a direction moves most"),
    "strips": ("strips", "make pictures of a few faces moved along each direction"),
    "compare": ("compare", "cosines of directions, correlations of labels, and a picture of both"),
    "import": ("importing", "import directions from other projects' files"),
    "export": ("exporting", "export directions to other projects' files"),
}
