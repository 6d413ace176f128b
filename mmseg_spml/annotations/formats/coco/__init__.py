"""The reader and writer of the COCO format."""

from mmseg_spml.annotations.formats.coco.reader import NAME, read, recognizes
from mmseg_spml.annotations.formats.coco.writer import write

HOLES = True
MASKS = True

__all__ = ['HOLES', 'MASKS', 'NAME', 'read', 'recognizes', 'write']
