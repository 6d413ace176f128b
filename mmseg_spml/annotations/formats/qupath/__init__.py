"""The reader and writer of the QuPath format."""

from mmseg_spml.annotations.formats.qupath.reader import NAME, read, recognizes
from mmseg_spml.annotations.formats.qupath.writer import write

__all__ = ['NAME', 'read', 'recognizes', 'write']
