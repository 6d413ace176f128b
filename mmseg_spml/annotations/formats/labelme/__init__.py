"""The reader and writer of the labelme format."""

from mmseg_spml.annotations.formats.labelme.reader import NAME, read, recognizes
from mmseg_spml.annotations.formats.labelme.writer import write

MASKS = True
TURNED_BOXES = True

__all__ = ['MASKS', 'NAME', 'TURNED_BOXES', 'read', 'recognizes', 'write']
