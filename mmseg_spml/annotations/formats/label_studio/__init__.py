"""The reader and writer of the Label Studio format."""

from mmseg_spml.annotations.formats.label_studio.reader import NAME, read, recognizes
from mmseg_spml.annotations.formats.label_studio.writer import write

__all__ = ['NAME', 'read', 'recognizes', 'write']
