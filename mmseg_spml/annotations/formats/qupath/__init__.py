"""The reader and writer of the QuPath format."""

from mmseg_spml.annotations.formats.qupath.reader import NAME, read, recognizes
from mmseg_spml.annotations.formats.qupath.writer import write

HOLES = True

__all__ = ['HOLES', 'NAME', 'read', 'recognizes', 'write']
