"""Pages of Disentanglement-Transformation curves: of one `stylemill dt`, and of several together."""
