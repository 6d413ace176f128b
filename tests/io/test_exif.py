"""Images that their Exif data turn."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.io.exif import exif_orientation, upright
from mmseg_spml.io.images import has_eight_bits, read_bands

ORIENTATIONS = range(1, 9)


def pixels(*shape, dtype=np.uint16):
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


def save(path, values, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(values).save(path, exif=exif)


@pytest.mark.parametrize('orientation', [0, *ORIENTATIONS, 9])
def test_an_image_is_turned_as_pillow_turns_it(tmp_path, orientation):
    path = tmp_path / 'a.png'
    save(path, pixels(4, 6, 3, dtype=np.uint8), orientation)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    turned = upright(pixels(4, 6, 3, dtype=np.uint8), exif_orientation(path))
    np.testing.assert_array_equal(turned, expected)


@pytest.mark.parametrize('suffix', ['.png', '.tif'])
def test_images_that_pillow_refuses_for_their_size(tmp_path, monkeypatch, suffix):
    if suffix == '.tif':
        pytest.importorskip('tifffile')
    save(tmp_path / f'a{suffix}', pixels(4, 6), 6)
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 3)
    assert exif_orientation(tmp_path / f'a{suffix}') == 1
    assert read_bands(tmp_path / f'a{suffix}').shape == (4, 6, 1)
    assert has_eight_bits(tmp_path / f'a{suffix}') == (suffix == '.tif')  # not known


@pytest.mark.parametrize('orientation', ORIENTATIONS)
@pytest.mark.parametrize('suffix', ['.png', '.tif'])
def test_bands_have_the_size_that_annotations_have(tmp_path, suffix, orientation):
    if suffix == '.tif':
        pytest.importorskip('tifffile')
    path = tmp_path / f'a{suffix}'
    save(path, pixels(4, 6), orientation)
    bands = read_bands(path)
    assert bands.shape[:2] == image_size(tmp_path, path.name)
    np.testing.assert_array_equal(bands[..., 0], upright(pixels(4, 6), orientation))
