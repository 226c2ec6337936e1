"""`stylemill directions`: fit, list, condition, strips, compare, import and export directions in latent space."""

VERBS = {
    "fit": ("fitting", "fit directions on labelled latents, or find them without labels"),
    "list": ("listing", "which there are, and how well they were fitted"),
    "condition": ("condition", "take other directions out of one"),
    "channels": ("channels", "the style channels that a direction moves most, as directions of their own"),
    "strips": ("strips", "pictures of a few faces moved along each direction"),
    "compare": ("compare", "cosines of directions, correlations of labels, and a picture of both"),
    "import": ("importing", "directions from other projects' files"),
    "export": ("exporting", "directions as other projects' files"),
}
