"""Pages of `stylemill reproduce id-style`."""
