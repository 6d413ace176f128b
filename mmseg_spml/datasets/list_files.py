"""Lists of the images of a data set, their maps and their tags."""

import os
import os.path as osp
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset

from mmseg_spml.annotations.tag_table import TagTable
from mmseg_spml.annotations.text_files import read_names
from mmseg_spml.io.folders import first_sharing, named_like, names_below

MAPS = ('seg_map_path', 'region_map_path')
"""The keys of a sample for its label map and its region map."""


def path_below(folder: str, name: str, where: str, root: str = '') -> str:
    """Join a path of a list to its folder.

    Args:
        folder: The folder; empty if the list has whole paths.
        name: The path in the list.
        where: The list, for the error.
        root: The folder of all data, if there is one: the path may lead out of
            ``folder``, but not out of this one. Both may be links.

    Raises:
        ValueError: The path leads out of the folders.

    Example:
        >>> path_below('data', 'JPEGImages/a.jpg', 'train.txt')
        'data/JPEGImages/a.jpg'
    """
    path = osp.join(folder, name)
    if folder and not any(_is_below(path, one) for one in (folder, root) if one):
        raise ValueError(
            f'{where} names {name!r}, which leads out of the folder {root or folder}: '
            'make it relative to that folder'
        )
    return path


def _is_below(path: str, folder: str) -> bool:
    """Whether a path is in a folder as it is written, or when links are followed."""

    def inside(path: str, folder: str) -> bool:
        return osp.relpath(path, folder).split(osp.sep)[0] != osp.pardir

    return inside(path, folder) or inside(osp.realpath(path), osp.realpath(folder))


def read_triples(
    path: str, folder: str, *, images_alone: bool = False
) -> list[dict[str, str | None]]:
    """Read a list of triples: an image, its label map and its region map.

    Args:
        path: The list, with single spaces between the paths.
        folder: The folder of all files; empty if the list has whole paths.
        images_alone: Whether a line may name an image without maps.

    Returns:
        The paths of each sample, ``img_path``, ``seg_map_path`` and
        ``region_map_path``; None for no map.

    Raises:
        ValueError: A line has another number of paths, or one that leads out of the
            folder.
    """
    samples = []
    lines = Path(path).read_text(encoding='utf-8-sig').splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        columns: list[str | None] = [*line.strip().split(' ')]
        where = f'{path}, line {number}:'
        if len(columns) not in (1, 3):
            raise ValueError(
                f'{where} {line!r} has {len(columns)} columns. Expected "image '
                'semantic instance" with single spaces, or an image alone for testing. '
                'Add the region map as the third column (paths must hold no space), '
                'or use list_format="stem"'
            )
        if len(columns) == 1 and not images_alone:
            raise ValueError(
                f'{where} {line!r} names an image without label map. Add the label map '
                'and the region map, give a `tags_file`, or set test_mode=True'
            )
        columns += [None] * (3 - len(columns))
        samples.append(
            {
                key: None if name is None else path_below(folder, name, where)
                for key, name in zip(('img_path', *MAPS), columns)
            }
        )
    return samples


def listed(
    samples: Sequence[dict], image_list: str, images: str, source: str
) -> list[dict]:
    """Select the samples that a list names, in the order of the list.

    Args:
        samples: The samples, with ``img_path``.
        image_list: The list; on each line the path of an image below ``images``, or its
            name without suffix.
        images: The folder of the images; empty for the working folder.
        source: The file of all samples, for errors.

    Raises:
        FileNotFoundError: There is no such list.
        ValueError: The list names an image that no sample has, or several samples have.
    """
    if not osp.isfile(image_list):
        raise FileNotFoundError(f'there is no list {image_list}')
    names = read_names(Path(image_list))
    known: dict[str, dict] = {}
    twice: set[str] = set()
    for sample in samples:
        path = sample['img_path']
        stem = osp.splitext(osp.basename(path))[0]
        twice |= {stem} & known.keys()
        known[stem] = sample
        known[osp.relpath(path, images or '.').replace(os.sep, '/')] = sample
    ambiguous = sorted(twice & {*names})
    if ambiguous:
        raise ValueError(
            f'{image_list} names {ambiguous[0]}, which several images of {source} are '
            'called: name them with their folders and suffixes'
        )
    missing = [name for name in names if name not in known]
    if missing:
        raise ValueError(
            f'{image_list} names {len(missing)} images that {source} does not '
            f'annotate, such as {missing[0]}'
        )
    return [known[name] for name in names]


def samples_of(dataset: BaseDataset) -> list[dict]:
    """List what a data set knows of each of its images, without loading them."""
    return [dataset.get_data_info(index) for index in range(len(dataset))]


def add_names(samples: Sequence[dict], images: str = '') -> None:
    """Give each image the name of the maps that are made of it, as ``map_name``.

    It is the path below the folder of images, without suffix. Where there is no such
    folder, it is the path below the one that holds all images of the list.

    Args:
        samples: The samples, with ``img_path``.
        images: The folder of the images; empty if the list has whole paths.
    """
    paths = [sample['img_path'] for sample in samples]
    if images and all(_is_below(path, images) for path in paths):
        names = [osp.relpath(path, images).replace(os.sep, '/') for path in paths]
        if any(name.startswith(osp.pardir) for name in names):  # below by a link
            names = names_below(paths)
    else:
        names = names_below(paths)
    for sample, name in zip(samples, names):
        sample['map_name'] = osp.splitext(name)[0]


def name_of_maps(sample: Mapping[str, Any]) -> str:
    """Name the files of an image: seeds, activation maps, pseudo labels.

    Args:
        sample: The sample. If its data set is not of this package, it has no
            ``map_name``, and the name of its file is taken.

    Example:
        >>> name_of_maps(dict(img_path='images/cam1/a.jpg', map_name='cam1/a'))
        'cam1/a'
        >>> name_of_maps(dict(img_path='images/cam1/a.jpg'))
        'a'
    """
    return sample.get('map_name') or Path(sample['img_path']).stem


def check_own_files(
    samples: Sequence[Mapping[str, Any]], folder: str | None, *suffixes: str
) -> None:
    """Check that no image would be read with the file of another one of its name.

    Args:
        samples: The samples, with ``img_path``.
        folder: A folder of files that are found by :func:`named_like`; None: no folder.
        *suffixes: The suffixes of the files.

    Raises:
        ValueError: Two images share a file.
    """
    if folder is None:
        return
    for suffix in suffixes:
        named = (
            (s['img_path'], named_like(s['img_path'], folder, suffix)) for s in samples
        )
        found = {image: str(file) for image, file in named if file is not None}
        shared = first_sharing(found, found.__getitem__)
        if shared is not None:
            raise ValueError(
                f'{shared[0]} and {shared[1]} would share {found[shared[0]]}: put the '
                'files into the same subfolders as the images'
            )


def add_maps(
    samples: Sequence[dict], key: str, folder: str | os.PathLike, images: str
) -> None:
    """Name the map of each image, which is named like the image.

    It may lie in the same subfolders as the image, see :func:`named_like`.

    Args:
        samples: The samples, with ``img_path``, which get the path of the map.
        key: The key of the path.
        folder: The folder of the maps.
        images: The folder of the images; empty for the working folder.

    Raises:
        ValueError: Two images would share a map.
    """

    def map_of(path: str) -> str:
        found = named_like(osp.relpath(path, images or '.'), folder)
        return str(found or Path(folder, f'{Path(path).stem}.png'))

    maps = {sample['img_path']: map_of(sample['img_path']) for sample in samples}
    shared = first_sharing(maps, maps.__getitem__)
    if shared is not None:
        raise ValueError(
            f'{shared[0]} and {shared[1]} would share the map {maps[shared[0]]}: put '
            'the maps into the same subfolders as the images'
        )
    for sample in samples:
        sample[key] = maps[sample['img_path']]


def add_tags(samples: Sequence[dict], table: TagTable, *, partly: bool = False) -> None:
    """Give each image its tags, as ``tags`` (C,) bool.

    Args:
        samples: The samples, with ``img_path``.
        table: The tags.
        partly: Whether images may have no entry; they get no tags.

    Raises:
        AnnotationError: An image has no entry.
        ValueError: Two images would share an entry.
    """
    keys = {path: table.key_of(path) for path in (s['img_path'] for s in samples)}
    found = {path: str(key) for path, key in keys.items() if key is not None}
    shared = first_sharing(found, found.__getitem__)
    if shared is not None:
        raise ValueError(
            f'{shared[0]} and {shared[1]} would share the entry {found[shared[0]]} of '
            f'{table.path}: name the images in it by their folders, too'
        )
    for sample in samples:
        if not partly or sample['img_path'] in found:
            sample['tags'] = table[sample['img_path']]
