"""Region maps that are made before the first iteration."""

import logging
from pathlib import Path

import numpy as np
import pytest
from integration import tiny
from mmengine.dataset import ConcatDataset
from mmseg.registry import DATASETS

from mmseg_spml.datasets.transforms.loading import LoadRegions
from mmseg_spml.engine.hooks import MakeRegionsHook
from mmseg_spml.engine.hooks.region_maps import RegionJobs

GENERATE = dict(method='slic', num_regions=6)


@pytest.fixture
def root(tmp_path):
    root = tiny.write_data(tmp_path / 'data')
    stems = sorted(path.stem for path in (root / 'JPEGImages').iterdir())
    (root / 'lists/stems.txt').write_text('\n'.join(stems))
    return root


def config(root, generate=GENERATE, num_workers=0):
    """Two iterations on images without region maps."""
    cfg = tiny.config(
        root,
        root / 'run',
        train_cfg__max_iters=2,
        train_dataloader__num_workers=num_workers,
        default_hooks__region_maps=dict(type='MakeRegionsHook'),
    )
    cfg.train_dataloader.dataset.update(
        list_format='stem',
        ann_file='lists/stems.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='weak'),
        img_suffix='.png',
    )
    loader = cfg.train_dataloader.dataset.pipeline[2]
    loader.update(generate=generate, cache_dir=str(root / 'made'))
    return cfg


def files(root):
    return {path: path.stat().st_mtime_ns for path in (root / 'made').glob('*')}


@pytest.mark.parametrize('num_workers', [0, 2])
def test_all_maps_are_made_before_training(root, num_workers, monkeypatch, caplog):
    runner = tiny.runner(config(root, num_workers=num_workers))
    runner.logger.setLevel(logging.INFO)
    seen = []
    runner.register_hook(
        type('Look', (MakeRegionsHook,), dict(
            before_train=lambda self, runner: None,
            before_train_iter=lambda self, runner, *_, **__: seen.append(files(root)),
        ))()
    )  # fmt: skip
    runner.train()
    assert len(seen) == 2 and len(seen[0]) == 8
    assert seen[0] == seen[1] == files(root)  # none was made while training
    # The next training finds them, and makes none.
    tiny.runner(config(root)).train()
    assert files(root) == seen[0]
    # Other options are other maps.
    tiny.runner(config(root, dict(method='slic', num_regions=9))).train()
    assert len(files(root)) == 16


def test_maps_are_those_of_the_loader(root):
    tiny.registered()
    cfg = config(root)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    jobs = RegionJobs(dataset)
    assert [jobs[place] for place in range(len(jobs))] == [('', True)] * 8
    assert [jobs[place] for place in range(len(jobs))] == [('', False)] * 8
    step = next(t for t in dataset.pipeline.transforms if isinstance(t, LoadRegions))
    fresh = LoadRegions(generate=GENERATE, cache_dir=None)
    for index in range(len(dataset)):
        info = dataset.pipeline.transforms[0](dataset.get_data_info(index))
        wanted = fresh(dict(img=info['img']))['region_map']
        assert np.array_equal(step(dict(img=info['img']))['region_map'], wanted)
    assert jobs.folders == str(root / 'made')


def test_data_sets_in_data_sets_are_found(root):
    tiny.registered()
    cfg = config(root)
    parts = [DATASETS.build(cfg.train_dataloader.dataset) for _ in range(2)]
    assert len(RegionJobs(ConcatDataset(parts))) == 16


def test_nothing_to_do(root):
    tiny.registered()
    cfg = config(root)
    loader = cfg.train_dataloader.dataset.pipeline[2]
    loader.cache_dir = None
    assert not len(RegionJobs(DATASETS.build(cfg.train_dataloader.dataset)))
    with_maps = tiny.config(root, root / 'run').train_dataloader.dataset
    with_maps.pipeline[2].update(generate=GENERATE, cache_dir=str(root / 'made'))
    assert not len(RegionJobs(DATASETS.build(with_maps)))
    assert not (root / 'made').exists()


def test_all_bad_images_are_named_and_the_others_are_made(root):
    for stem in '25':
        Path(root, 'JPEGImages', f'{stem}.png').write_bytes(b'no image')
    with pytest.raises(ValueError, match='2 training images have no region') as error:
        tiny.runner(config(root)).train()
    text = str(error.value)
    assert '2.png: ' in text and '5.png: ' in text and '3.png' not in text
    assert len(files(root)) == 6
