"""`stylemill latents`: codes of one's own as a latents table."""

VERBS = {"import": ("importing", "import a latents table from a file of codes: .npy, .npz, .pt, .parquet")}
