"""Pages of `stylemill reproduce latent-transformer`."""
