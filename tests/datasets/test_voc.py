import numpy as np
import pytest
from PIL import Image

from mmseg_spml.datasets import VOCWeakDataset
from mmseg_spml.datasets.voc import voc_palette

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadWeakAnnotations'),
    dict(type='LoadRegions'),
    dict(type='PackWeakSegInputs'),
]
LINE = (
    'VOC2012/JPEGImages/2007_000032.jpg '
    'VOC2012/scribble/dilate_3/2007_000032.png VOC2012/hed/2007_000032.png'
)


@pytest.fixture
def root(tmp_path):
    image, weak, hed = (tmp_path / path for path in LINE.split(' '))
    for path in (image, weak, hed):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (4, 2)).save(image)
    labels = np.array([[0, 15, 21, 254], [20, 100, 255, 255]], np.uint8)
    Image.fromarray(labels).save(weak)
    Image.fromarray(np.array([[0, 1, 2, 255]] * 2, np.uint8)).save(hed)
    (tmp_path / 'list.txt').write_text(LINE + '\n')
    return tmp_path


def test_layout_of_the_release(root):
    dataset = VOCWeakDataset('list.txt', data_root=str(root), pipeline=PIPELINE)
    data = dataset[0]['data_samples']
    labels = data.gt_sem_seg.data[0].tolist()
    assert labels == [[0, 15, 21, 21], [20, 21, 255, 255]]
    assert data.region_map.data[0, 0].tolist() == [0, 1, 2, 255]
    assert data.gt_tags.label.nonzero().ravel().tolist() == [15, 20]  # no background
    assert dataset.metainfo['ignore_tags'] == (0,)


def test_unlabeled_255(root):
    dataset = VOCWeakDataset(
        'list.txt', data_root=str(root), pipeline=PIPELINE, unlabeled_value=255
    )
    labels = dataset[0]['data_samples'].gt_sem_seg.data[0].tolist()
    assert labels == [[0, 15, 21, 21], [20, 21, 21, 21]]


def test_image_only_list(root):
    (root / 'test.txt').write_text(LINE.split(' ')[0])
    dataset = VOCWeakDataset(
        'test.txt',
        data_root=str(root),
        test_mode=True,
        pipeline=[PIPELINE[0], PIPELINE[3]],
    )
    assert dataset[0]['data_samples'].keys() == []
    with pytest.raises(ValueError, match=r'test\.txt, line 1'):
        VOCWeakDataset('test.txt', data_root=str(root))


def test_classes_and_colors():
    classes = VOCWeakDataset.METAINFO['classes']
    assert len(classes) == 21
    assert (classes[1], classes[7], classes[20]) == ('aeroplane', 'car', 'tvmonitor')
    assert list(classes[1:]) == sorted(classes[1:])
    palette = voc_palette(256)
    assert palette[15] == [192, 128, 128]
    assert palette[20] == [0, 64, 128]
    assert palette[255] == [224, 224, 192]


def test_another_choice_of_classes_is_refused():
    with pytest.raises(ValueError, match='another choice or order'):
        VOCWeakDataset(metainfo=dict(classes=('cat', 'dog')), lazy_init=True)
