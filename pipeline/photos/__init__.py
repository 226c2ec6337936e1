"""Photos in: decode them, find the faces, align each as those of FFHQ are. Arrays in, arrays out; no table is known."""
