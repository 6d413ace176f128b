"""Sizes from the heads of files, those of many bands among them."""

import mmcv
import numpy as np
import pytest
from PIL import Image

from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.model import AnnotationError
from mmseg_spml.io.exif import exif_orientation
from mmseg_spml.io.images import read_bands


@pytest.mark.parametrize('shape', [(4, 6), (4, 6, 1), (4, 6, 5), (6, 4, 2)])
def test_arrays(tmp_path, shape):
    np.save(tmp_path / 'a.npy', np.zeros(shape, np.uint16))
    assert image_size(tmp_path, 'a.npy') == shape[:2]
    assert exif_orientation(tmp_path / 'a.npy') == 1


@pytest.mark.parametrize('order', ['planar', 'mixed'])
def test_bands_of_a_tiff(tmp_path, order):
    tifffile = pytest.importorskip('tifffile')
    image = np.zeros((5, 8, 9) if order == 'planar' else (8, 9, 5), np.float32)
    # Pillow knows no TIFF of five floating-point bands.
    options = dict(
        photometric='minisblack',
        planarconfig='separate' if order == 'planar' else 'contig',
    )
    tifffile.imwrite(tmp_path / 'a.tif', image, **options)
    assert image_size(tmp_path, 'a.tif') == (8, 9)
    assert read_bands(tmp_path / 'a.tif').shape == (8, 9, 5)
    assert exif_orientation(tmp_path / 'a.tif') == 1


def test_photographs(tmp_path):
    image = Image.new('RGB', (6, 4))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / 'a.jpg', exif=exif)
    assert image_size(tmp_path, 'a.jpg') == (6, 4)
    assert exif_orientation(tmp_path / 'a.jpg') == 6


def test_no_images(tmp_path):
    (tmp_path / 'a.jpg').write_bytes(b'no image')
    (tmp_path / 'a.tif').write_bytes(b'no image')
    (tmp_path / 'a.npy').write_bytes(b'no image')
    np.save(tmp_path / 'b.npy', np.zeros(3))
    for name in ('a.jpg', 'a.tif', 'a.npy', 'b.npy'):
        with pytest.raises(AnnotationError, match=f'{name} cannot be read .*replace'):
            image_size(tmp_path, name)
    with pytest.raises(FileNotFoundError, match='no image'):
        image_size(tmp_path, 'c.npy')
    with pytest.raises(AnnotationError, match='by --images'):
        image_size(None, 'a.jpg')


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'tif'])
@pytest.mark.parametrize('orientation', [1, 3, 6, 8])
def test_all_kinds_of_files_are_turned_as_training_turns_them(
    tmp_path, suffix, orientation
):
    image = Image.fromarray(np.zeros((30, 40, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = orientation
    path = tmp_path / f'a.{suffix}'
    image.save(path, exif=exif)
    wanted = (40, 30) if orientation in (6, 8) else (30, 40)
    assert image_size(tmp_path, path.name) == wanted
    if suffix != 'png':  # whose orientation some versions of OpenCV do not read
        assert mmcv.imread(str(path)).shape[:2] == wanted
