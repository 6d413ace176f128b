"""Annotation formats: a module or folder with the reader and writer of each tool."""

from mmseg_spml.annotations.formats.registry import (
    FORMATS,
    detect_format,
    format_of_name,
    has_holes,
    has_masks,
    read_annotations,
    tells_predictions,
    write_annotations,
)

__all__ = [
    'FORMATS',
    'detect_format',
    'format_of_name',
    'has_holes',
    'has_masks',
    'read_annotations',
    'tells_predictions',
    'write_annotations',
]
