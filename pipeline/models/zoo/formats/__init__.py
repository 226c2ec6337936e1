"""Readers of model files: bytes in, tensors or a `Program` out. None of them runs code of the file, none opens a path."""
