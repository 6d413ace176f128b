"""Files that claim more pixels than any image or map has."""

import struct
import zlib
from functools import partial

import cv2
import numpy as np
import pytest
from integration import tiny
from mmseg.registry import DATASETS

from mmseg_spml.datasets.region_files import RegionMaker
from mmseg_spml.datasets.region_folder import make_region_files
from mmseg_spml.datasets.seed_files import SeedMaker, make_seed_file
from mmseg_spml.io.images import decode_image, read_bands, read_image
from mmseg_spml.io.index_maps import read_index_map
from mmseg_spml.io.limits import (
    MOST_PIXELS,
    TooLargeError,
    check_image,
    check_pixels,
)


def bomb(side=14_000, color=0):
    """Return a whole PNG of side x side black pixels, of less than 200 kB."""

    def chunk(kind, content):
        body = kind + content
        return (
            struct.pack('>I', len(content)) + body + struct.pack('>I', zlib.crc32(body))
        )

    head = struct.pack('>IIBBBBB', side, side, 8, color, 0, 0, 0)
    row = bytes(1 + side * (3 if color else 1))
    packer = zlib.compressobj(9)
    rows = b''.join(packer.compress(row) for _ in range(side)) + packer.flush()
    chunks = chunk(b'IHDR', head) + chunk(b'IDAT', rows) + chunk(b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + chunks


MAP = bomb()


def test_the_limit():
    check_pixels(1, MOST_PIXELS, 'a.png')
    with pytest.raises(TooLargeError, match='a.png has 2 x'):
        check_pixels(2, MOST_PIXELS, 'a.png')


def test_what_pillow_does_not_know_passes(tmp_path):
    (tmp_path / 'a.npy').write_bytes(b'\x93NUMPY')
    check_image(tmp_path / 'a.npy')
    check_image(b'')
    check_image(bomb(side=10))


def test_images(tmp_path):
    assert len(MAP) < 200_000
    (tmp_path / 'a.png').write_bytes(MAP)
    with pytest.raises(TooLargeError, match='more than 178956970'):
        decode_image(MAP)
    with pytest.raises(ValueError, match=r'a\.png.*more than 178956970'):
        read_image(tmp_path / 'a.png')


def test_a_long_text_does_not_hide_the_size():
    """Pillow refuses the text before it looks at the size, which OpenCV never does."""
    text = b'zTXtkey\0\0' + zlib.compress(bytes(100_000_000))
    chunk = (
        struct.pack('>I', len(text) - 4) + text + struct.pack('>I', zlib.crc32(text))
    )
    with pytest.raises(TooLargeError):
        decode_image(MAP[:33] + chunk + MAP[33:])


def test_maps(tmp_path):
    (tmp_path / 'a.png').write_bytes(MAP)
    with pytest.raises(ValueError, match=r'label map .*a\.png: .*exceeds limit'):
        read_index_map(tmp_path / 'a.png')


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / 'images'
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    for name in 'ac':
        cv2.imwrite(str(folder / f'{name}.png'), noise)
    return folder


def test_regions_of_the_other_images_are_made(images):
    (images / 'b.png').write_bytes(MAP)
    out = images.parent / 'regions'
    done = make_region_files(str(images), str(out), RegionMaker('slic'))
    assert [file.name for file in done if file.error] == ['b.png']
    assert 'more than 178956970' in done[1].error
    assert sorted(path.name for path in out.iterdir()) == ['a.png', 'c.png']


def test_a_huge_region_map_is_made_anew(images):
    out = images.parent / 'regions'
    out.mkdir()
    (out / 'a.png').write_bytes(MAP)
    done = make_region_files(str(images), str(out), RegionMaker('slic'))
    assert not any(file.error for file in done)
    assert cv2.imread(str(out / 'a.png'), cv2.IMREAD_UNCHANGED).shape == (20, 30)


def test_seeds_name_a_huge_image(images):
    (images / 'b.png').write_bytes(MAP)
    maker = SeedMaker(2, method='grabcut')
    make = partial(make_seed_file, maker=maker, out=str(images.parent / 'out'))
    sample = dict(img_path=str(images / 'b.png'), annotation=None)
    assert 'more than 178956970' in make(sample, truth=None).error


@pytest.mark.parametrize('folder', ['JPEGImages', 'weak', 'regions'])
def test_training_names_the_file(tmp_path, folder):
    tiny.registered()
    root = tiny.write_data(tmp_path, images=1)
    path = root / folder / '0.png'
    path.write_bytes(MAP)
    cfg = tiny.config(root, tmp_path / 'run')
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    with pytest.raises(ValueError, match=f'{folder}/0.png'):
        dataset[0]


def test_a_huge_mask_of_a_test_is_named(tmp_path):
    tiny.registered()
    root = tiny.write_data(tmp_path, images=1)
    (root / 'truth' / '0.png').write_bytes(MAP)
    cfg = tiny.config(root, tmp_path / 'run')
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    with pytest.raises(TooLargeError, match='truth/0.png is too large'):
        dataset[0]


def test_bands_have_the_size_that_they_claim(tmp_path):
    np.save(tmp_path / 'a.npy', np.zeros((4, 6, 5)))
    content = (tmp_path / 'a.npy').read_bytes()
    (tmp_path / 'a.npy').write_bytes(
        content.replace(b'(4, 6, 5)', b'(4, 6, 5000000000)')
    )
    with pytest.raises(ValueError, match=r'a\.npy cannot be decoded'):
        read_bands(tmp_path / 'a.npy')


def test_a_lack_of_memory_names_the_image(tmp_path, monkeypatch):
    tiny.registered()
    root = tiny.write_data(tmp_path, images=1)
    cfg = tiny.config(root, tmp_path / 'run')
    dataset = DATASETS.build(cfg.train_dataloader.dataset)

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(dataset.pipeline, 'transforms', [fail])
    with pytest.raises(ValueError, match='JPEGImages/0.png.*MemoryError'):
        dataset[0]
