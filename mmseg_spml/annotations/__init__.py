"""The weak annotation of an image: its model, its file formats, its simulation."""
