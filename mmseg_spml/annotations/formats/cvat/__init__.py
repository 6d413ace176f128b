"""The reader and writer of the CVAT format."""

from mmseg_spml.annotations.formats.cvat.reader import NAME, read, recognizes
from mmseg_spml.annotations.formats.cvat.writer import write

TURNED_BOXES = True

__all__ = ['NAME', 'TURNED_BOXES', 'read', 'recognizes', 'write']
