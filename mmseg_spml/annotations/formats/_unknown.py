"""What a file or folder that no format recognizes is, and what to do with it."""

from collections.abc import Callable
from pathlib import Path

from mmseg_spml.annotations.mask_colors import is_color
from mmseg_spml.io.folders import files_with_suffix

_HEAD = 65_536


def describe_unknown(path: Path, head: bytes) -> str | None:
    """Describe a file, or the first of a folder, by what it looks like.

    Args:
        path: The file or folder.
        head: The first bytes of the file.

    Returns:
        A sentence that names the format and a way out, or None.
    """
    if path.is_dir():
        for suffixes in (('.json',), ('.png', '.jpg', '.jpeg'), ('.txt',), ('.xml',)):
            files = files_with_suffix(path, *suffixes)
            if files:
                path = files[0]
                with open(path, 'rb') as file:
                    head = file.read(_HEAD)
                break
        else:
            return None
    for looks_like, sentence in _KNOWN:
        if looks_like(path, head):
            return sentence
    return None


def _has(*words: bytes) -> Callable[[Path, bytes], bool]:
    return lambda path, head: all(b'"' + word + b'"' in head for word in words)


_KNOWN: list[tuple[Callable[[Path, bytes], bool], str]] = [
    (
        _has(b'segments_info'),
        'it looks like COCO panoptic: give the JSON file itself',
    ),
    (
        _has(b'categories', b'items'),
        "it looks like Datumaro's own format: give the JSON file itself, which names "
        'its labels',
    ),
    (
        _has(b'classTitle', b'objects'),
        'it looks like Supervisely, but the objects have no geometryType',
    ),
    (_has(b'slots', b'annotations'), 'it looks like Darwin (V7): export COCO there'),
    (_has(b'data_row'), 'it looks like Labelbox: export COCO there'),
    (
        lambda path, head: (
            head.lstrip().startswith(b'[')
            and b'"annotator"' in head
            and b'"result"' not in head
        ),
        'it looks like "JSON-MIN" of Label Studio: export the project as "JSON"',
    ),
    (
        lambda path, head: path.suffix.lower() == '.png' and is_color(path),
        'its PNG files have several channels: a label map holds class ids in one '
        'channel, gray or palette; state the classes of colors, such as --values '
        '0,0,0=background 128,0,0=cat',
    ),
    (
        lambda path, head: path.suffix.lower() in ('.jpg', '.jpeg'),
        'it holds JPEG files, whose values are changed by compression: export label '
        'maps as PNG',
    ),
]
