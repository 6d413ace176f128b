"""Lists of the images of a folder."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

from mmseg_spml.io.folders import can_be_a_line, files_with_suffix, first_sharing
from mmseg_spml.io.images import IMAGE_SUFFIXES

_UNREAD_SUFFIXES = (
    *('.avif', '.gif', '.heic', '.heif', '.jp2', '.jxl'),
    *('.arw', '.cr2', '.cr3', '.dng', '.nef'),
)


def list_images(
    folder: str,
    suffixes: Sequence[str] = (*IMAGE_SUFFIXES, '.gif'),
    made: str = 'region map',
) -> list[str]:
    """List the images in a folder and its subfolders by their relative paths.

    Args:
        folder: The folder.
        suffixes: The suffixes of images in lower case.
        made: What is made of each image, for the error.

    Raises:
        FileNotFoundError: There is no such folder, or it has no image.
        ValueError: Two images differ only in their suffix and would share a map.
    """
    names = _image_names(folder, suffixes)
    _check_made_once(names, made)
    return names


def _image_names(folder: str, suffixes: Sequence[str]) -> list[str]:
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'there is no folder {folder}')
    names = names_of_images(Path(folder), suffixes)
    if not names:
        raise FileNotFoundError(
            f'there is no image in {folder} (suffixes {", ".join(suffixes)})'
        )
    return names


def names_of_images(folder: Path, suffixes: Sequence[str]) -> list[str]:
    """List the images below a folder whose names can be a line of a UTF-8 file.

    Others are left out with a warning: the tables and lists of images could not hold
    them.

    Args:
        folder: The folder, with subfolders.
        suffixes: The suffixes of images in lower case.

    Returns:
        The relative paths, sorted by their parts; perhaps none.
    """
    files = files_with_suffix(folder, *suffixes)
    names = [path.relative_to(folder).as_posix() for path in files]
    kept = [name for name in names if can_be_a_line(name)]
    if len(kept) < len(names):
        first = next(name for name in names if not can_be_a_line(name))
        warnings.warn(
            f'{folder}: images are left out whose names are not UTF-8, have a line '
            'break, or begin or end with a blank: '
            f'{len(names) - len(kept)} in all, such as {ascii(first)}; rename them',
            stacklevel=2,
        )
    return kept


def _check_made_once(names: Sequence[str], made: str) -> None:
    shared = first_sharing(names, lambda name: os.path.splitext(name)[0])
    if shared is not None:
        raise ValueError(
            f'the images {shared[0]} and {shared[1]} would share a {made}: rename one'
        )


def check_outside_of_images(out: str | Path, images: str | Path) -> None:
    """Check that a folder to write to is not among the images.

    Raises:
        ValueError: ``out`` is the folder of the images or lies in it.
    """
    if Path(out).resolve().is_relative_to(Path(images).resolve()):
        raise ValueError(
            f'{out} lies in the folder of the images, so that what is written there '
            'would count as images, too: name another folder to write to'
        )


def warn_of_unread_images(folder: str | Path, read: Sequence[str]) -> None:
    """Warn of images in a folder whose format is not read, such as HEIC.

    Args:
        folder: The folder, with subfolders.
        read: The suffixes of images that are read, in lower case.
    """
    suffixes = [suffix for suffix in _UNREAD_SUFFIXES if suffix not in read]
    # A raw file beside its JPEG is not missing.
    there = {path.with_suffix('') for path in files_with_suffix(Path(folder), *read)}
    unread = files_with_suffix(Path(folder), *suffixes)
    left_out = [path for path in unread if path.with_suffix('') not in there]
    if left_out:
        warnings.warn(
            f'{folder}: images of other formats are left out, {len(left_out)} in all, '
            f'such as {left_out[0].relative_to(folder)}; convert them to PNG or JPEG',
            stacklevel=2,
        )


def chosen_images(
    folder: str | Path, suffixes: Sequence[str], only: Sequence[str] | None
) -> list[str]:
    """List the images of a folder, or those of a list that must be there.

    Args:
        folder: The folder, with subfolders.
        suffixes: The suffixes of images in lower case.
        only: The names to take, below the folder; None: all.

    Raises:
        FileNotFoundError: There is no such folder, or it has no image.
        ValueError: A name of ``only`` is missing, or two of the images that are taken
            would share a map.
    """
    names = _image_names(str(folder), suffixes)
    if only is None:
        warn_of_unread_images(folder, suffixes)
    else:
        missing = sorted(set(only) - set(names))
        if missing:
            raise ValueError(
                f'{folder} lacks {len(missing)} of the images that were named, such as '
                f'{missing[0]}'
            )
        wanted = set(only)
        names = [name for name in names if name in wanted]
    _check_made_once(names, 'label map')
    return names
