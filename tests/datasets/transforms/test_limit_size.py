"""A limit on the size of images, and the labels and regions of shrunk images."""

import numpy as np
import pytest

from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.model import Point, Polygon, Stroke, WeakAnnotation
from mmseg_spml.annotations.scaling import scaled_annotation
from mmseg_spml.datasets.annotation_samples import packed
from mmseg_spml.datasets.transforms import (
    LimitSize,
    LoadRegions,
    LoadWeakAnnotations,
)
from mmseg_spml.functional.labels.shrinking import shrink_labels
from mmseg_spml.io.index_maps import write_index_map

C, VOID = 3, 255
CLASSES = ('background', 'cat', 'dog')


def shrunk_by_loops(labels, size, unlabeled):
    """For sizes that divide those of the map."""
    rows, columns = labels.shape[0] // size[0], labels.shape[1] // size[1]
    result = np.full(size, unlabeled, np.uint8)
    for y in range(size[0]):
        for x in range(size[1]):
            block = labels[y * rows : (y + 1) * rows, x * columns : (x + 1) * columns]
            counts = {v: (block == v).sum() for v in np.unique(block) if v != unlabeled}
            if counts:
                most = max(counts.values())
                result[y, x] = min(v for v, n in counts.items() if n == most)
    return result


@pytest.mark.parametrize('blocks', [(2, 2), (3, 1), (4, 5)])
def test_labels_against_loops(blocks):
    generator = np.random.default_rng(0)
    size = (5, 7)
    shape = size[0] * blocks[0], size[1] * blocks[1]
    values = np.array([0, 1, 2, C, C, C, C, VOID], np.uint8)
    labels = generator.choice(values, shape)
    found = shrink_labels(labels, size, C)
    assert np.array_equal(found, shrunk_by_loops(labels, size, C))


def test_labels_of_other_sizes():
    labels = np.full((40, 60), C, np.uint8)
    labels[:, 33] = 1  # a stroke of one pixel
    found = shrink_labels(labels, (7, 9), C)
    assert (found == 1).any(axis=1).all() and set(np.unique(found)) == {1, C}
    assert np.array_equal(shrink_labels(labels, (40, 60), C), labels)
    assert shrink_labels(labels, (80, 120), C).shape == (80, 120)
    empty = np.full((8, 8), C, np.uint8)
    assert (shrink_labels(empty, (2, 2), C) == C).all()


def annotation(size=(80, 120)):
    return WeakAnnotation(
        'a.jpg',
        *size,
        tags={'cat', 'dog'},
        tags_complete=True,
        points=[Point('cat', 10, 70)],
        strokes=[Stroke('dog', [(20.0, 20.0), (100.0, 24.0)], 2)],
        polygons=[Polygon('background', (((0, 0), (60, 0), (60, 9), (0, 9)),))],
    )


def results(image, **more):
    return dict(
        img=image, img_path='a.jpg', ori_shape=image.shape[:2], num_classes=C,
        unlabeled_value=C, class_names=CLASSES, background='background', **more,
    )  # fmt: skip


def test_shapes_are_drawn_at_the_new_size():
    weak = annotation()
    found = results(np.zeros((80, 120, 3), np.uint8), annotation=packed(weak))
    found = LoadWeakAnnotations()(LimitSize(max_side=30)(found))
    assert found['img'].shape == (20, 30, 3)
    assert found['ori_shape'] == (80, 120) and found['scale_factor'] == (0.25, 0.25)
    wanted = label_map(scaled_annotation(weak, (20, 30)), CLASSES)
    assert np.array_equal(found['gt_seg_map'], wanted)
    assert set(np.unique(wanted)) == {0, 1, 2, C}


def test_scaled_shapes():
    small = scaled_annotation(annotation(), (20, 60))
    assert small.size == (20, 60) and small.tags_complete
    assert small.tags == {'cat', 'dog'}
    assert small.points == [Point('cat', 5, 17.5)]
    assert small.strokes[0].path == ((10.0, 5.0), (50.0, 6.0))
    assert small.strokes[0].width == 1
    assert small.polygons[0].rings[0][2] == (30.0, 2.25)
    assert scaled_annotation(annotation(), (80, 120)) == annotation()


def test_maps_of_files(tmp_path):
    labels = np.full((40, 60), C, np.uint8)
    labels[11, 5:50] = 2
    regions = np.repeat(np.arange(4, dtype=np.uint8), 10)[:, None].repeat(60, 1)
    for name, map_ in (('labels', labels), ('regions', regions)):
        write_index_map(str(tmp_path / f'{name}.png'), map_)
    found = results(
        np.zeros((40, 60, 3), np.float32),
        seg_map_path=str(tmp_path / 'labels.png'),
        region_map_path=str(tmp_path / 'regions.png'),
    )
    found = LimitSize(max_side=15)(found)
    found = LoadRegions()(LoadWeakAnnotations()(found))
    assert found['region_map'].shape == (10, 15)
    assert np.array_equal(found['gt_seg_map'], shrink_labels(labels, (10, 15), C))
    assert found['tags'].tolist() == [0, 0, 1]


def test_regions_of_files(tmp_path):
    regions = np.repeat(np.arange(4, dtype=np.uint8), 10)[:, None].repeat(60, 1)
    write_index_map(str(tmp_path / 'regions.png'), regions)
    found = results(
        np.zeros((40, 60, 3), np.float32), region_map_path=str(tmp_path / 'regions.png')
    )
    found = LoadRegions()(LimitSize(max_side=30)(found))
    assert np.array_equal(found['region_map'], regions[::2, ::2])


def test_images_within_the_limit_and_of_many_bands():
    image = np.zeros((40, 60, 3), np.uint8)
    found = LimitSize(max_side=60)(dict(img=image))
    assert found['img'] is image and found['ori_shape'] == (40, 60)
    bands = np.random.default_rng(0).random((40, 60, 7))
    small = LimitSize(max_side=30)(dict(img=bands))['img']
    wanted = bands.reshape(20, 2, 30, 2, 7).mean(axis=(1, 3))
    np.testing.assert_allclose(small, wanted, atol=1e-6)


def test_what_is_wrong(tmp_path):
    with pytest.raises(ValueError, match='1 or more'):
        LimitSize(max_side=0)
    late = dict(img=np.zeros((4, 4, 3)), seg_fields=['gt_seg_map'])
    with pytest.raises(ValueError, match='directly after the image is loaded'):
        LimitSize(max_side=2)(late)
    other = results(np.zeros((80, 100, 3), np.uint8), annotation=packed(annotation()))
    with pytest.raises(ValueError, match='80x120'):
        LoadWeakAnnotations()(LimitSize(max_side=30)(other))
