"""The page of a comparison of editors."""
