"""Pages of `stylemill reproduce style-intervention`."""
