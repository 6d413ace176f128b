"""The names of images in Label Studio's tasks.

The name within ``/data/local-files/?d=NAME`` or ``/data/upload/PROJECT/NAME`` is taken,
on any server. Label Studio puts eight characters and a dash before the name of an
uploaded file, writes _ for blanks, and leaves out brackets and the like; the name from
before is taken if one image has it. For any other address (``https://HOST/NAME?...``,
``s3://BUCKET/NAME``, ``/NAME``) the whole path is taken. Addresses of a web server are
percent-decoded, and other names are taken as they are.
"""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_plus

from mmseg_spml.annotations.model import AnnotationError, checked_image_name
from mmseg_spml.io.folders import kept_until_change
from mmseg_spml.io.images import IMAGE_SUFFIXES

_LONGEST_ADDRESS = 4096
_WEB = re.compile(r'https?://[^/?#]*', re.IGNORECASE)
_STORAGE = re.compile(r'[a-z][a-z0-9+.-]*://[^/]*/', re.IGNORECASE)
_LOCAL_FILE = re.compile(r'/data/local-files/?\?(?:[^#]*&)?d=([^&#]*)')
_PREFIX = re.compile('^[0-9a-f]{8}-')
# Django's rule for the names of uploaded files.
_LEFT_OUT = re.compile(r'[^-\w.]')
_UPLOAD = re.compile(r'/data/upload/(?:\d+/)?')


def image_name(data: Any) -> str:
    """Return the image name of a task, relative to the folder of the images.

    Args:
        data: The task's ``data``, of which ``image`` is taken, or else the only value
            or the only one that ends like an image file.

    Raises:
        AnnotationError: There is no such value, or it names no file.

    Example:
        >>> image_name({'image': '/data/upload/3/1a2b3c4d-a%20b.jpg'})
        '1a2b3c4d-a b.jpg'
    """
    if not isinstance(data, dict):
        raise AnnotationError(
            f'`data` of a task is a JSON object, got {str(data)[:40]!r}'
        )
    source = data.get('image')
    if 'image' not in data:
        values = list(data.values())
        images = [value for value in values if _ends_like_an_image(value)]
        source = next(iter(values if len(values) == 1 else images), None)
        if len(images) > 1:
            raise AnnotationError(
                f'`data` of a task names several images: {str(images)[:80]}'
            )
    if not isinstance(source, str):
        raise AnnotationError(
            '`data` of a task needs the address of one image as `image`, or no other '
            f'value; got {str(data)[:80]!r}'
        )
    # A longer text could keep the search busy for hours.
    path = _within_images(source) if len(source) <= _LONGEST_ADDRESS else ''
    name = path and checked_image_name(path)
    if not name or path.endswith('/') or source.startswith('data:'):
        raise AnnotationError(f'the address {source[:80]!r} names no image file')
    return name


def name_before_upload(name: str, images: Path | None) -> str:
    """Return the name that an uploaded file had, if the image is there by it.

    Args:
        name: The name of :func:`image_name`.
        images: The folder of the images, if it is given.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / 'a.jpg').touch()
        >>> name_before_upload('1a2b3c4d-a.jpg', folder)
        'a.jpg'
        >>> name_before_upload('1a2b3c4d-b.jpg', folder)
        '1a2b3c4d-b.jpg'
        >>> (folder / 'photo (1).jpg').touch()
        >>> name_before_upload('1a2b3c4d-photo_1.jpg', folder)
        'photo (1).jpg'
    """
    before = _PREFIX.sub('', name, count=1)
    # os.path.isfile, unlike Path.is_file, is False for names that no file can have.
    if images is None or before in ('', name) or os.path.isfile(images / name):
        return name
    if os.path.isfile(images / before):
        return before
    try:
        written_so = _files_by_uploaded_name(str(images)).get(before, [])
    except OSError:
        return name
    return written_so[0] if len(written_so) == 1 else name


@kept_until_change
def _files_by_uploaded_name(folder: str) -> dict[str, list[str]]:
    """The files of a folder by the names that Label Studio would write of them."""
    found: dict[str, list[str]] = {}
    for file in sorted(os.listdir(folder)):
        written = _LEFT_OUT.sub('', file.strip().replace(' ', '_'))
        found.setdefault(written, []).append(file)
    return found


def _ends_like_an_image(value: Any) -> bool:
    if not isinstance(value, str) or len(value) > _LONGEST_ADDRESS:
        return False
    return value.split('?')[0].lower().endswith(IMAGE_SUFFIXES) or '?d=' in value


def _within_images(source: str) -> str:
    path = _WEB.sub('', source, count=1) if _WEB.match(source) else source
    if path == source and not source.startswith('/'):
        storage = _STORAGE.match(source)
        return source[storage.end() :] if storage else source
    local_file = _LOCAL_FILE.search(path)
    if local_file:
        return unquote_plus(local_file[1]).lstrip('/')
    path = re.split('[?#]', path, maxsplit=1)[0]
    upload = _UPLOAD.search(path)
    return unquote(path[upload.end() :] if upload else path).lstrip('/')
