import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_spml.datasets import CamVidDataset, CCPDataset

LOAD = [dict(type='LoadImageFromFile'), dict(type='LoadWeakAnnotations')]


def shared(name):
    here = Path(__file__).resolve().parents[2]
    root = os.environ.get('MMSEG_SPML_SHARED', here.parent / 'shared')
    folder = Path(root) / 'data' / name
    if not folder.is_dir():
        pytest.skip(f'no photographs at {folder}; set MMSEG_SPML_SHARED')
    return str(folder)


def save(path, ids):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(ids, np.uint8)).save(path)


class TestCCPLayout:
    @pytest.fixture
    def root(self, tmp_path):
        for name in ('0001', '1005'):
            save(tmp_path / f'images/{name}.jpg', np.zeros((1, 3, 3)))
        save(tmp_path / 'masks/0001.png', [[0, 4, 9]])
        (tmp_path / 'train_masks.txt').write_text('0001\n')
        (tmp_path / 'train_tags.txt').write_text('1005\n')
        classes = list(CCPDataset.METAINFO['classes'])
        content = dict(classes=classes, tags={'1005': [0, 2, 9]})
        (tmp_path / 'tags.json').write_text(json.dumps(content))
        return tmp_path

    def test_masks(self, root):
        dataset = CCPDataset('train_masks.txt', data_root=str(root), pipeline=LOAD)
        results = dataset[0]
        assert results['gt_seg_map'].tolist() == [[0, 4, 9]]
        assert results['tags'].nonzero()[0].tolist() == [0, 4, 9]

    def test_tags_only(self, root):
        dataset = CCPDataset(
            'train_tags.txt',
            data_root=str(root),
            data_prefix=dict(seg_map_path=None),
            tags_file='tags.json',
            pipeline=LOAD,
        )
        results = dataset[0]
        assert results['gt_seg_map'].tolist() == [[10] * 3]
        assert results['tags'].nonzero()[0].tolist() == [0, 2, 9]

    @pytest.mark.parametrize('absolute', [False, True])
    def test_weak_labels_elsewhere(self, root, absolute):
        save(root / 'weak/points/0001.png', [[0, 10, 10]])
        save(root / 'weak/regions/0001.png', [[0, 0, 1]])
        base = str(root / 'weak') if absolute else 'weak'
        dataset = CCPDataset(
            'train_masks.txt',
            data_root=str(root),
            data_prefix=dict(
                seg_map_path=f'{base}/points', region_map_path=f'{base}/regions'
            ),
            pipeline=[*LOAD, dict(type='LoadRegions')],
        )
        assert dataset[0]['gt_seg_map'].tolist() == [[0, 10, 10]]
        assert dataset[0]['region_map'].tolist() == [[0, 0, 1]]


def test_camvid_layout(tmp_path):
    save(tmp_path / 'images/val/x.jpg', np.zeros((1, 3, 3)))
    save(tmp_path / 'masks/val/x.png', [[0, 10, 255]])
    dataset = CamVidDataset(split='val', data_root=str(tmp_path), pipeline=LOAD)
    assert dataset[0]['gt_seg_map'].tolist() == [[0, 10, 255]]
    assert dataset.metainfo['ignore_tags'] == ()
    with pytest.raises(FileNotFoundError, match='images/train'):
        CamVidDataset(data_root=str(tmp_path))


def test_ccp_photographs():
    root = shared('ccp')
    with open(os.path.join(root, 'tags.json')) as file:
        assert tuple(json.load(file)['classes']) == CCPDataset.METAINFO['classes']
    pipeline = [
        *LOAD,
        dict(type='LoadRegions', generate=dict(method='felzenszwalb')),
        dict(type='PackWeakSegInputs'),
    ]
    for name, count in (('train_masks.txt', 704), ('val.txt', 150)):
        dataset = CCPDataset(name, data_root=root, pipeline=pipeline)
        assert len(dataset) == count
        numbers = []
        for index in range(0, count, 50):
            data = dataset[index]['data_samples']
            assert data.gt_sem_seg.data.max() < 10
            numbers.append(len(data.region_map.data.unique()))
        assert 60 < np.mean(numbers) < 180
    dataset = CCPDataset(
        'train_tags.txt',
        data_root=root,
        data_prefix=dict(seg_map_path=None),
        tags_file='tags.json',
        pipeline=LOAD,
    )
    assert len(dataset) == 1094
    assert dataset[0]['tags'].nonzero()[0].tolist() == [0, 1, 2, 3, 4, 6, 8, 9]


def test_camvid_photographs():
    root = shared('camvid')
    with open(os.path.join(root, 'classes.json')) as file:
        assert tuple(json.load(file)['classes']) == CamVidDataset.METAINFO['classes']
    for split, count in (('train', 367), ('val', 101)):
        dataset = CamVidDataset(split=split, data_root=root, pipeline=LOAD)
        assert len(dataset) == count
        values = np.unique(dataset[0]['gt_seg_map'])
        assert set(values.tolist()) <= {*range(11), 255}
