"""`stylemill photos`: your own photos."""

VERBS = {
    "align": ("align", "find the faces of photos and cut each out as the faces of FFHQ are"),
    "invert": ("invert", "find codes of a generator whose faces are those of photos"),
    "paste": ("paste", "put edited faces back into the photos that they came from"),
    "edit": ("edit", "all of that in one command: photos in, edited photos and a page out"),
}
