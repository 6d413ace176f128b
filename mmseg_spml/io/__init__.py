"""Files: atomic writing, index maps, images, and dicts of NumPy arrays."""
