"""A data set whose list is an annotation file."""

import json

import numpy as np
import pytest
from PIL import Image

from mmseg_spml.annotations.formats import write_annotations
from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import DenseMap, Mask
from mmseg_spml.datasets import WeakSegDataset
from mmseg_spml.datasets.annotation_samples import annotation_samples, unpacked
from mmseg_spml.models.necks.segment_pooling import stack_weak_annotations

CLASSES = ('background', 'cat', 'dog')
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadWeakAnnotations', drawing=dict(point_radius=0)),
    dict(type='LoadRegions'),
    dict(type='PackWeakSegInputs'),
]
A = {
    'image': 'sub/a.jpg',
    'size': [2, 3],
    'points': [{'label': 'cat', 'at': [1.5, 0.5]}],
}
B = {'image': 'b.jpg', 'size': [2, 3], 'tags': ['dog'], 'tags_complete': True}


@pytest.fixture
def root(tmp_path):
    for name in ('sub/a', 'b'):
        for folder, suffix in (('images', 'jpg'), ('regions', 'png')):
            path = tmp_path / folder / f'{name}.{suffix}'
            path.parent.mkdir(parents=True, exist_ok=True)
            shape = (2, 3, 3) if suffix == 'jpg' else (2, 3)
            Image.fromarray(np.zeros(shape, np.uint8)).save(path)
    return tmp_path


def dataset(root, *records, pipeline=PIPELINE, classes=CLASSES, **options):
    (root / 'weak.jsonl').write_text('\n'.join(map(json.dumps, records)))
    (root / 'flat').mkdir(exist_ok=True)
    for path in (root / 'regions').rglob('*.png'):
        (root / 'flat' / path.name).write_bytes(path.read_bytes())
    return WeakSegDataset(
        ann_file='weak.jsonl',
        list_format='annotations',
        data_root=str(root),
        data_prefix=dict(img_path='images'),
        region_dir=str(root / 'flat'),
        metainfo=dict(classes=classes),
        pipeline=pipeline,
        **options,
    )


def test_each_image_has_its_own_kinds(root):
    marked, tagged = dataset(root, A, B)
    assert marked['data_samples'].gt_sem_seg.data[0].tolist() == [[3, 1, 3], [3, 3, 3]]
    assert tagged['data_samples'].gt_sem_seg.data[0].tolist() == [[3, 3, 3]] * 2
    tags = [
        sample['data_samples'].gt_tags.label.bool().tolist()
        for sample in (marked, tagged)
    ]
    assert tags == [[False, True, False], [False, False, True]]


@pytest.mark.parametrize(
    'undeclared, ignored, background', [('absent', None, 0), ('unknown', None, 0),
                                        ('unknown', (), -1)]
)  # fmt: skip
def test_what_is_not_declared(root, undeclared, ignored, background):
    """By default the data set ignores the background: nothing is left unknown."""
    records = [{**A, 'absent': ['dog']}, B]
    options = dict(undeclared_tags=undeclared, ignore_tags=ignored)
    samples = list(dataset(root, *records, **options))
    stacked = stack_weak_annotations([sample['data_samples'] for sample in samples])[2]
    assert stacked.tolist() == [[background, 1, 0], [background, 0, 1]]


def test_the_background_is_no_tag_wherever_it_stands(root):
    classes = ('cat', 'dog', 'background')
    found = dataset(root, B, classes=classes, undeclared_tags='unknown')
    assert found.metainfo['ignore_tags'] == (2,)
    _, _, tags = stack_weak_annotations([found[0]['data_samples']])
    assert tags.tolist() == [[0, 1, 0]]
    named = [{'image': 'b.jpg', 'size': [2, 3], 'tags': ['cat']}]
    assert dataset(root, *named, classes=('cat',)).metainfo['ignore_tags'] == ()


def test_no_second_source_of_tags(root):
    with pytest.raises(ValueError, match='join `tags_file`'):
        dataset(root, B, tags_file='tags.json')


def test_unknown_classes_reach_the_losses(root):
    (sample,) = dataset(root, A, undeclared_tags='unknown')
    _, _, tags = stack_weak_annotations([sample['data_samples']])
    assert tags.tolist() == [[0, 1, -1]]


def test_label_maps_cannot_declare_a_class_absent():
    with pytest.raises(ValueError, match="'annotations': label maps"):
        WeakSegDataset(metainfo=dict(classes=CLASSES), undeclared_tags='unknown')
    with pytest.raises(ValueError, match="'absent' or 'unknown', got 'no'"):
        WeakSegDataset(metainfo=dict(classes=CLASSES), undeclared_tags='no')


@pytest.mark.parametrize(
    'records, what',
    [
        ([A, A], 'sub/a.jpg: is listed twice'),
        ([{**B, 'tags': ['cow']}], "b.jpg.*'cow' is none of"),
        ([{**A, 'absent': ['cat']}], "sub/a.jpg.*exclude .'cat'"),
        ([{**A, 'size': [0, 3]}], 'line 1: the height'),
    ],
)
def test_errors_name_file_and_image(root, records, what):
    with pytest.raises(AnnotationError, match=f'weak.jsonl, {what}'):
        dataset(root, *records)


def test_an_image_of_another_size(root):
    with pytest.raises(ValueError, match='annotation of b.jpg is 4x3 .* 2x3'):
        dataset(root, {**B, 'size': [4, 3]})[0]


def test_missing_files(root):
    with pytest.raises(FileNotFoundError, match='c.jpg'):
        dataset(root, {**B, 'image': 'c.jpg'})
    (root / 'weak.jsonl').unlink()
    with pytest.raises(FileNotFoundError, match='weak.jsonl'):
        WeakSegDataset(
            ann_file='weak.jsonl', list_format='annotations', data_root=str(root),
            metainfo=dict(classes=CLASSES),
        )  # fmt: skip


def test_images_with_shapes_are_known(root):
    assert dataset(root, A, B).labeled().tolist() == [True, False]
    boxes = {**B, 'boxes': [{'label': 'dog', 'box': [0, 0, 1, 1]}]}
    # which pixels of a box are dog is not known; outside of all boxes none is
    assert dataset(root, boxes).labeled().tolist() == [False]
    complete = {**boxes, 'boxes_complete': True}
    assert dataset(root, complete).labeled().tolist() == [True]
    void = {**B, 'boxes': [{'label': None, 'box': [0, 0, 1, 1]}]}
    assert dataset(root, void).labeled().tolist() == [True]
    nothing = {**B, 'tags': []}
    assert dataset(root, nothing).labeled().tolist() == [True]


def test_no_annotation_at_all(root):
    with pytest.raises(ValueError, match='weak.jsonl annotates no image'):
        dataset(root)


def test_samples_in_memory_are_small(tmp_path):
    labels = np.zeros((500, 375), np.uint8)
    labels[100:300, 50:200] = 1
    annotation = WeakAnnotation(
        'a.jpg',
        500,
        375,
        dense=DenseMap(CLASSES, labels),
        masks=[Mask('cat', labels > 0)],
    )
    path = tmp_path / 'weak.jsonl'
    write_annotations([annotation], path, 'jsonl')
    (sample,) = annotation_samples(str(path), 'images', CLASSES)
    assert len(sample['annotation']) < 2 * labels.size / 50
    assert unpacked(sample['annotation']) == annotation
