"""`stylemill latents`: codes of one's own as a latents table; and what other verbs open latents tables with."""

from jobs.latents.opening import Sampled, check_width, open_latents, open_with_generator

__all__ = ["Sampled", "check_width", "open_latents", "open_with_generator"]

VERBS = {"import": ("importing", "a latents table from a file of codes: .npy, .npz, .pt, .parquet")}
