"""The reader and writer of the CVAT format."""

from mmseg_spml.annotations.formats.cvat.reader import NAME, read, recognizes
from mmseg_spml.annotations.formats.cvat.writer import write

MASKS = True
TURNED_BOXES = True

__all__ = ['MASKS', 'NAME', 'TURNED_BOXES', 'read', 'recognizes', 'write']
