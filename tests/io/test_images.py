"""Reading and writing of images."""

import os
import resource
import tracemalloc

import cv2
import numpy as np
import pytest

from mmseg_spml.functional.seeds.cam_files import load_cam, save_cam
from mmseg_spml.io.images import read_picture, three_bands, write_image


@pytest.fixture
def full_disk():
    """No file may grow beyond 100 bytes, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize('shape', [(5, 7), (5, 7, 3)])
def test_colors_are_kept(tmp_path, shape):
    path = tmp_path / 'new' / 'x.png'
    write_image(path, noise(*shape))
    back = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert (back[..., ::-1] if back.ndim == 3 else back).tolist() == (
        noise(*shape).tolist()
    )


def test_unknown_suffixes(tmp_path):
    with pytest.raises(ValueError, match='name a file such as .png'):
        write_image(tmp_path / 'x.what', noise(5, 7, 3))


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path, full_disk):
    path = tmp_path / 'x.png'
    with pytest.raises(OSError, match=r'x\.png'):
        write_image(path, noise(90, 90, 3))
    with pytest.raises(OSError, match=r'x\.npz'):
        save_cam(tmp_path / 'x.npz', {1: noise(90, 90)})
    assert os.listdir(tmp_path) == []


def test_maps_are_written_whole(tmp_path):
    for suffix in ('.npz', '.npy'):
        save_cam(tmp_path / f'x{suffix}', {2: noise(4, 5)})
        assert list(load_cam(tmp_path / f'x{suffix}')) == [2]


def test_what_is_not_finite_is_black():
    image = np.full((4, 5, 3), 100.0)
    image[0, 0] = np.nan
    shown = three_bands(image)
    assert (shown[0, 0] == 0).all() and (shown[1:] == 100).all()
    spread = np.linspace(-50, 5000, 60).reshape(4, 5, 3)
    spread[0, 0] = np.inf
    shown = three_bands(spread)
    assert shown[0, 0].max() == 0 and shown[-1, -1].min() > 240
    assert not three_bands(np.full((2, 2), np.nan)).any()


def test_reflectances_above_1_keep_their_shades():
    image = np.linspace(0, 1.5, 1500, dtype=np.float32).reshape(25, 20, 3)
    assert len(np.unique(three_bands(image))) > 200
    levels = np.arange(0, 8).repeat(6).reshape(4, 4, 3).astype(np.float32)
    np.testing.assert_array_equal(three_bands(levels), levels)


def test_a_large_image_of_16_bits_needs_few_copies():
    generator = np.random.default_rng(0)
    image = generator.integers(0, 60000, (2000, 2000, 3), np.uint16)
    tracemalloc.start()
    shown = three_bands(image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * image.nbytes
    low, high = np.percentile(image, [1, 99])
    expected = np.clip((image - low) / (high - low) * 255, 0, 255)
    assert np.abs(shown - expected).max() < 1


def test_pictures_of_any_depth(tmp_path):
    grays = np.arange(0, 4096, 64, dtype=np.uint16).reshape(8, 8)
    write_image(tmp_path / 'deep.png', grays)
    assert read_picture(tmp_path / 'deep.png').max() > 240  # of 12 bits
    photograph = np.random.default_rng(0).integers(0, 99, (8, 9, 3), np.uint8)
    for name in ('a.png', 'a.tif', 'a.bmp'):
        write_image(tmp_path / name, photograph)
        assert (read_picture(tmp_path / name) == photograph).all()
    np.save(tmp_path / 'bands.npy', np.dstack([photograph, photograph]))
    assert (read_picture(tmp_path / 'bands.npy') == photograph).all()
    with pytest.raises(FileNotFoundError, match='no.png'):
        read_picture(tmp_path / 'no.png')
    (tmp_path / 'none.png').write_bytes(b'')
    with pytest.raises(ValueError, match='none.png'):
        read_picture(tmp_path / 'none.png')
