import numpy as np
from PIL import Image

from mmseg_spml.datasets import DensePosePointDataset, WeakRandomFlip


def test_sides_are_exchanged_as_in_the_release():
    flip = WeakRandomFlip(prob=1.0, swap_labels=DensePosePointDataset.SWAP_LABELS)
    ids = np.array([[*range(16), 255]], np.uint8)
    results = dict(img=np.zeros((1, 17, 3)), gt_seg_map=ids, seg_fields=['gt_seg_map'])
    results['tags'] = np.arange(15) % 2 == 0
    results = flip(results)
    release = [0, 1, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 14]
    assert results['gt_seg_map'][0, ::-1].tolist() == [*release, 15, 255]
    assert results['tags'].tolist() == [label % 2 == 0 for label in release]


def test_pairs_are_the_two_sides_of_one_part():
    classes = DensePosePointDataset.METAINFO['classes']
    assert len(classes) == 15
    assert (classes[1], classes[14]) == ('torso', 'head')
    paired = set()
    for one, other in DensePosePointDataset.SWAP_LABELS:
        sides = {classes[one].split()[0], classes[other].split()[0]}
        assert sides == {'left', 'right'}
        assert classes[one].split()[1:] == classes[other].split()[1:]
        paired |= {one, other}
    assert paired == set(range(2, 14))


def test_layout_of_the_release(tmp_path):
    line = (
        'images/train2014/a.jpg segcls/densepose_points/gray/a.png '
        'seginst/pmi_0.1_256/a.png'
    )
    image, weak, regions = (tmp_path / path for path in line.split(' '))
    for path in (image, weak, regions):
        path.parent.mkdir(parents=True)
    Image.new('RGB', (3, 1)).save(image)
    Image.fromarray(np.array([[2, 15, 255]], np.uint8)).save(weak)
    Image.fromarray(np.array([[0, 255, 7]], np.uint8)).save(regions)
    (tmp_path / 'list.txt').write_text(line)
    dataset = DensePosePointDataset(
        'list.txt',
        data_root=str(tmp_path),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadWeakAnnotations'),
            dict(type='LoadRegions'),
            dict(type='PackWeakSegInputs'),
        ],
    )
    data = dataset[0]['data_samples']
    assert data.gt_sem_seg.data.tolist() == [[[2, 15, 255]]]
    assert data.region_map.data.tolist() == [[[0, 255, 7]]]
    assert data.gt_tags.label.nonzero().ravel().tolist() == [2]
