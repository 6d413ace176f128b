"""Damaged files of each format: they are read, or refused by a clear error."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmseg_spml.annotations.formats import read_annotations, write_annotations
from mmseg_spml.engine.checkpoint_loading import load_checkpoint
from mmseg_spml.functional.seeds.cam_files import load_cam, save_cam
from mmseg_spml.io.images import read_image
from mmseg_spml.io.index_maps import read_index_map
from mmseg_spml.models import SegmentBank

_ANNOTATIONS = {
    'coco': 'a.json',
    'cvat': 'a.xml',
    'jsonl': 'a.jsonl',
    'label_studio': 'a.json',
    'labelme': 'a',
    'qupath': 'a',
    'tag_csv': 'a.csv',
    'tag_json': 'a.json',
}


def damage_files(
    work: Path, folders: dict[str, str], number: int, seed: int
) -> Iterator[dict[str, Any]]:
    """Damage a file of each format many times, read it, and yield what came of it.

    Args:
        work: The folder to work in.
        folders: The folders of the scenes and of what the jobs start from.
        number: The damaged files of each format.
        seed: The random seed of the damages.

    Yields:
        The name of a format, the number of files, of those that were refused, of errors
        that do not name the file or are of no expected kind, and the longest time that
        reading one took, in seconds.
    """
    folder = work / 'damaged'
    for name, path, read in _readers(folder, folders):
        moments = random.Random(f'{seed} {name}')
        with _without_messages_of_decoders():
            row = _damage(name, path, read, number, moments)
        yield row


def _readers(
    folder: Path, folders: dict[str, str]
) -> Iterator[tuple[str, Path, Callable[[Path], Any]]]:
    """Yield the name, a whole file and the reader of each format."""
    data = Path(folders['data'])
    first = sorted((data / 'JPEGImages').iterdir())[0]
    yield 'photograph (JPEG)', _copy(first, folder), read_image
    mask = data / 'segcls' / f'{first.stem}.png'
    yield 'label map (PNG)', _copy(mask, folder), read_index_map
    cams = folder / 'cams.npz'
    save_cam(cams, {1: np.random.default_rng(0).random((30, 40))})
    yield 'activation maps (npz)', cams, load_cam
    cams = folder / 'cams.npy'
    save_cam(cams, {1: np.random.default_rng(0).random((30, 40))})
    yield 'activation maps (npy)', cams, load_cam
    bank = folder / 'bank.safetensors'
    SegmentBank(torch.eye(8), torch.arange(8)).save(bank)
    yield 'bank (safetensors)', bank, SegmentBank.load
    small = folder / 'small.pth'
    content = load_checkpoint(Path(folders['made'], 'model.pth'))
    content['state_dict'] = {'weight': torch.zeros(20)}
    content.pop('optimizer')
    torch.save(content, small)
    yield 'checkpoint (pth)', small, load_checkpoint
    boxes = list(read_annotations(str(data / 'boxes.jsonl')))[:3]
    for form, name in _ANNOTATIONS.items():
        path = folder / form / name
        write_annotations(boxes, str(path), form, images=str(data))
        # A file of a folder is damaged, and the folder is read.
        damaged = sorted(path.rglob('*.*json'))[0] if path.is_dir() else path

        def read(_: Path, path: Path = path, form: str = form) -> list:
            return list(read_annotations(str(path), form, images=str(data)))

        yield f'annotations ({form})', damaged, read


@contextmanager
def _without_messages_of_decoders() -> Iterator[None]:
    """Keep what libjpeg writes to the console of each damaged file from there."""
    console = os.dup(2)
    with open(os.devnull, 'w') as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(console, 2)
            os.close(console)


def _copy(path: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    copy = folder / path.name
    copy.write_bytes(path.read_bytes())
    return copy


def _damage(
    name: str,
    path: Path,
    read: Callable[[Path], Any],
    number: int,
    moments: random.Random,
) -> dict[str, Any]:
    whole = path.read_bytes()
    read(path)
    refused = unnamed = 0
    longest = 0.0
    for _ in range(number):
        path.write_bytes(damaged(whole, moments))
        start = time.monotonic()
        try:
            read(path)
        except (ValueError, OSError) as error:
            refused += 1
            unnamed += path.name not in str(error)
        except Exception:
            refused += 1
            unnamed += 1
        longest = max(longest, time.monotonic() - start)
    path.write_bytes(whole)
    return dict(
        format=name, files=number, refused=refused, unnamed=unnamed, longest=longest
    )


def damaged(whole: bytes, moments: random.Random) -> bytes:
    """Return a file that was cut off, or of which some bytes changed, came or went.

    Example:
        >>> damaged(bytes(100), random.Random(0)) != bytes(100)
        True
    """
    content = bytearray(whole)
    kind = moments.choice(['cut', 'change', 'insert', 'remove'])
    if kind == 'cut':
        return bytes(content[: moments.randrange(len(content))])
    for _ in range(moments.choice([1, 2, 8, 64])):
        place = moments.randrange(len(content))
        if kind == 'change':
            content[place] ^= moments.randrange(1, 256)
        elif kind == 'insert':
            content.insert(place, moments.randrange(256))
        elif len(content) > 1:
            del content[place]
    return bytes(content)
