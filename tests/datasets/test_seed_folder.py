"""Seeds of a whole data set: options that depend on all of its maps."""

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from mmseg_spml.datasets.seed_folder import SeedFolder
from mmseg_spml.functional.seeds.cam_files import save_cam
from mmseg_spml.io.index_maps import read_index_map

SIZE = (30, 40)


def config(folder, **seeds):
    dataset = dict(
        type='WeakSegDataset',
        data_prefix=dict(img_path=str(folder)),
        img_suffix='.png',
        metainfo=dict(classes=('background', 'cat')),
        test_mode=True,
    )
    return Config(dict(test_dataloader=dict(dataset=dataset), seeds=seeds))


@pytest.fixture
def images(tmp_path):
    """Images whose maps have peaks, the more so the larger their number."""
    folder = tmp_path / 'images'
    folder.mkdir()
    (tmp_path / 'cams').mkdir()
    for number in range(4):
        rng = np.random.default_rng(number)
        cv2.imwrite(str(folder / f'{number}.png'), np.zeros((*SIZE, 3), np.uint8))
        save_cam(tmp_path / 'cams' / f'{number}.npz', {1: rng.random(SIZE) ** number})
    return folder


@pytest.mark.parametrize('processes', [1, 2])
def test_shares_are_those_of_all_images(images, tmp_path, processes):
    (tmp_path / 'cams' / '0.npz').unlink()
    cfg = config(images, method='tags', foreground=0.2, background=0.6)
    seeds = SeedFolder.of_config(cfg, str(tmp_path / 'cams'))
    first, *others = seeds.make(str(tmp_path / 'out'), processes=processes)
    assert 'activation maps' in first.error
    assert not any(file.error for file in others)
    labels = [read_index_map(str(tmp_path / 'out' / f'{n}.png')) for n in (1, 2, 3)]
    for value, share in ((0, 0.6), (1, 0.2), (2, 0.2)):
        assert np.mean(np.stack(labels) == value) == pytest.approx(share, abs=0.01)
    assert (labels[0] == 1).mean() > (labels[2] == 1).mean() + 0.1
    assert set(seeds.maker.options) == {'alpha', 'threshold'}


@pytest.mark.parametrize('size', [(1000, 1000), (600, 800), (334, 500), (2, 900)])
def test_large_maps_are_judged_everywhere(tmp_path, size):
    rows, columns = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j]
    blob = np.exp(-4 * (rows**2 + columns**2))  # its border is 0
    for folder in ('images', 'cams'):
        (tmp_path / folder).mkdir()
    cv2.imwrite(str(tmp_path / 'images' / 'a.png'), np.zeros(size, np.uint8))
    save_cam(tmp_path / 'cams' / 'a.npz', {1: blob})
    cfg = config(tmp_path / 'images', foreground=0.2, background=0.6)
    seeds = SeedFolder.of_config(cfg, str(tmp_path / 'cams'))
    seeds.make(str(tmp_path / 'out'))
    labels = read_index_map(str(tmp_path / 'out' / 'a.png'))
    assert (labels == 1).mean() == pytest.approx(0.2, abs=0.02)
    assert (labels == 0).mean() == pytest.approx(0.6, abs=0.02)


def test_no_map_at_all(images, tmp_path):
    (tmp_path / 'none').mkdir()
    cfg = config(images, foreground=0.2, background=0.6)
    seeds = SeedFolder.of_config(cfg, str(tmp_path / 'none'))
    assert all(file.error for file in seeds.make(str(tmp_path / 'out')))


@pytest.mark.parametrize(
    'settings',
    [
        dict(foreground=0.2),
        dict(background=0.2),
        dict(foreground=0.2, background=0.6, alpha=6),
        dict(foreground=0.2, background=0.6, threshold=0.5),
        dict(foreground=0.2, background=0.6, method='boxes'),
        dict(foreground=0.6, background=0.6),
    ],
)
def test_shares_that_cannot_be(images, tmp_path, settings):
    with pytest.raises(ValueError, match='the shares of'):
        SeedFolder.of_config(config(images, **settings), str(tmp_path / 'cams'))


def test_none_is_not_given(images, tmp_path):
    settings = dict(foreground=None, background=None, alpha=5, threshold=0.3)
    seeds = SeedFolder.of_config(config(images, **settings), str(tmp_path / 'cams'))
    assert seeds.shares is None
    assert seeds.maker.options == dict(alpha=5, threshold=0.3)
