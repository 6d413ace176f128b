"""The reader and writer of the labelme format."""

from mmseg_spml.annotations.formats.labelme.reader import NAME, read, recognizes
from mmseg_spml.annotations.formats.labelme.writer import write

__all__ = ['NAME', 'read', 'recognizes', 'write']
