"""Files of class activation maps.

Letters: H, W image size.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.io.folders import named_like
from mmseg_spml.io.numpy_dicts import load_numpy_object

# Maps of twenty classes of a photograph of 12 megapixels fit.
_MOST_BYTES = 2**30


def load_cam(path: str | Path, offset: int = 1) -> dict[int, np.ndarray]:
    """Load the class activation maps of one image.

    Args:
        path: A ``.npy`` file with a pickled dict, as written by SEAM and similar
            methods (read without executing code), or a ``.npz`` file with an array for
            each key.
        offset: Number to add to a key to get the class id: 1 if the keys do not count
            the background, as in the files of SEAM.

    Returns:
        dict: Mapping of class id to (H, W) float32 map.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file holds anything but finite maps of one size.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), 'a.npz')
        >>> save_cam(path, {15: np.ones((2, 3))})
        >>> {label: cam.shape for label, cam in load_cam(path).items()}
        {15: (2, 3)}
    """
    path = Path(path)
    if path.suffix == '.npz':
        if not path.is_file():
            raise FileNotFoundError(f'file not found: {path}')
        try:
            with zipfile.ZipFile(path) as file:
                _check_bytes(sum(entry.file_size for entry in file.infolist()))
            with np.load(path, allow_pickle=False) as file:
                content = {int(key): file[key] for key in file.files}
        except Exception as error:  # zipfile, zlib and numpy raise many kinds
            raise ValueError(f'cannot read the maps of {path}: {error}') from error
    else:
        content = load_numpy_object(str(path))
    if not isinstance(content, dict):
        raise ValueError(
            f'{path} must hold a dict of maps by class, got {type(content).__name__}'
        )
    cams = {}
    for key, cam in content.items():
        if not _is_class_number(key) or not _is_map(cam):
            raise ValueError(
                f'{path} must hold a finite (H, W) map for each class number, got '
                f'{type(cam).__name__} {getattr(cam, "shape", "")} under {key!r}'
            )
        cams[int(key) + offset] = cam.astype(np.float32)
    if len({cam.shape for cam in cams.values()}) > 1:
        raise ValueError(f'{path} has maps of several sizes')
    return cams


def save_cam(path: str | Path, cams: Mapping[int, np.ndarray], offset: int = 1) -> None:
    """Save class activation maps in a format that :func:`load_cam` reads.

    Args:
        path: File name that ends with ``.npz``, or with ``.npy`` for the format of
            SEAM.
        cams: Mapping of class id to (H, W) map.
        offset: Number to subtract from a class id; see :func:`load_cam`.

    Raises:
        ValueError: If the suffix is neither ``.npz`` nor ``.npy``.
    """
    path = Path(path)
    content = {
        int(label) - offset: np.asarray(cam, np.float32) for label, cam in cams.items()
    }
    if path.suffix == '.npz':
        named: dict[str, Any] = {str(key): cam for key, cam in content.items()}
        with atomic_file(path) as file:
            np.savez_compressed(file, **named)
    elif path.suffix == '.npy':
        with atomic_file(path) as file:
            np.save(file, np.array(content, object), allow_pickle=True)
    else:
        raise ValueError(f'expected a name that ends with .npz or .npy, got {path}')


def find_cam(folder: str | Path, image: str | Path) -> Path:
    """Path of the activation maps of an image, a ``.npz`` or ``.npy`` file.

    Args:
        folder: The folder of the maps, in which those of the image are found by
            :func:`~mmseg_spml.io.folders.named_like`.
        image: The path of the image.

    Raises:
        FileNotFoundError: If neither file exists.
        ValueError: If both files exist.
    """
    named = (named_like(image, folder, suffix) for suffix in ('.npz', '.npy'))
    found = [path for path in named if path is not None]
    if not found:
        expected = Path(folder, f'{Path(image).stem}.npz')
        raise FileNotFoundError(f'there are no activation maps {expected} (or .npy)')
    if len(found) > 1:
        raise ValueError(f'{found[0]} and {found[1]} are of one image: remove one')
    return found[0]


def _check_bytes(size: int) -> None:
    if size > _MOST_BYTES:
        raise ValueError(f'its maps take {size} bytes, more than {_MOST_BYTES}')


def _is_class_number(key: object) -> bool:
    if isinstance(key, bool) or not isinstance(
        key, (int, float, np.integer, np.floating)
    ):
        return False
    return float(key).is_integer()


def _is_map(cam: np.ndarray | None) -> bool:
    return (
        isinstance(cam, np.ndarray)
        and cam.ndim == 2
        and cam.dtype.kind in 'fiub'
        and bool(np.isfinite(cam).all())
    )
