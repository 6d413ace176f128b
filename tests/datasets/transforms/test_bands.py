"""Loading of images with any number of bands."""

import cv2
import numpy as np
import pytest

from mmseg_spml.datasets.transforms import LoadMultiBandImage


@pytest.mark.parametrize('suffix', ['.png', '.npy', '.tif'])
@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_red_comes_first_in_all_formats(tmp_path, suffix, dtype):
    image = np.random.default_rng(0).integers(0, 255, (4, 6, 3)).astype(dtype)
    path = tmp_path / f'a{suffix}'
    if suffix == '.npy':
        np.save(path, image)
    elif suffix == '.tif':
        pytest.importorskip('tifffile').imwrite(path, image, photometric='rgb')
    else:
        cv2.imwrite(str(path), image[..., ::-1])
    results = LoadMultiBandImage()(dict(img_path=str(path)))
    assert results['img'].dtype == dtype
    assert np.array_equal(results['img'], image)
    assert results['img_shape'] == results['ori_shape'] == (4, 6)


def test_a_gray_image_and_a_choice_of_bands(tmp_path):
    path = tmp_path / 'a.npy'
    np.save(path, np.arange(6).reshape(2, 3))
    assert LoadMultiBandImage(to_float32=True)(dict(img_path=path))['img'].shape == (
        *(2, 3, 1),
    )
    with pytest.raises(ValueError, match='a.npy has 1 bands, but .* number 2'):
        LoadMultiBandImage(bands=(0, 2))(dict(img_path=path))


def test_values_that_are_not_finite(tmp_path):
    path = tmp_path / 'a.npy'
    image = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    image[0, 1] = np.nan, np.inf
    np.save(path, image)
    with pytest.raises(
        ValueError, match='a.npy has 2 values that are not finite: give'
    ):
        LoadMultiBandImage()(dict(img_path=path))
    found = LoadMultiBandImage(fill=(5.0, 7.0))(dict(img_path=path))['img']
    assert found.dtype == np.float32 and found[0, 1].tolist() == [5, 7]
    assert np.array_equal(found[1], image[1])
    assert (LoadMultiBandImage(fill=0.0)(dict(img_path=path))['img'][0, 1] == 0).all()


def test_what_is_no_image(tmp_path):
    path = tmp_path / 'a.npy'
    for content in (np.zeros(3), np.array(['a']), np.zeros((1, 2, 3, 4))):
        np.save(path, content)
        with pytest.raises(ValueError, match='a.npy is no image: expected numbers'):
            LoadMultiBandImage()(dict(img_path=path))
    np.save(path, np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match='a.npy cannot be decoded'):
        LoadMultiBandImage()(dict(img_path=path))
    (tmp_path / 'a.jpg').write_text('text')
    with pytest.raises(ValueError, match='a.jpg is no image'):
        LoadMultiBandImage()(dict(img_path=tmp_path / 'a.jpg'))
    with pytest.raises(FileNotFoundError, match='no image'):
        LoadMultiBandImage()(dict(img_path=tmp_path / 'b.tif'))
    pytest.importorskip('tifffile')
    (tmp_path / 'a.tif').write_text('text')
    with pytest.raises(ValueError, match='a.tif cannot be decoded'):
        LoadMultiBandImage()(dict(img_path=tmp_path / 'a.tif'))
