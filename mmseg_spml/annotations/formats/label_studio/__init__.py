"""The reader and writer of the Label Studio format."""

from mmseg_spml.annotations.formats.label_studio.reader import NAME, read, recognizes
from mmseg_spml.annotations.formats.label_studio.writer import write

MASKS = True
TURNED_BOXES = True

__all__ = ['MASKS', 'NAME', 'TURNED_BOXES', 'read', 'recognizes', 'write']
