import numpy as np
import pytest

from mmseg_spml.annotations.merge import merge_by_image
from mmseg_spml.annotations.model import AnnotationError, Box, Point, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import DenseMap, Mask


def part(name='a.jpg', size=(2, 3), **parts):
    return WeakAnnotation(name, *size, **parts)


def test_shapes_add_up_and_order_is_kept():
    dense = DenseMap(['cat'], np.zeros((2, 3), np.uint8))
    merged = merge_by_image(
        [
            part(tags={'cat'}, points=[Point('cat', 1, 1)]),
            part('b.jpg', tags_complete=True),
            part(absent={'dog'}, points=[Point('cat', 2, 1)], dense=dense),
            part(boxes=[Box('cat', 0, 0, 1, 1)], boxes_complete=True),
        ]
    )
    assert merged == [
        part(
            tags={'cat'},
            absent={'dog'},
            points=[Point('cat', 1, 1), Point('cat', 2, 1)],
            boxes=[Box('cat', 0, 0, 1, 1)],
            boxes_complete=True,
            dense=dense,
        ),
        part('b.jpg', tags_complete=True),
    ]


def test_equal_shapes_of_two_files_count_once():
    mask = np.zeros((2, 3), bool)
    mask[1] = True
    first = part(boxes=[Box('cat', 0, 0, 1, 1)] * 2, masks=[Mask('cat', mask)])
    second = part(boxes=[Box('cat', 0, 0, 1, 1)], masks=[Mask('cat', mask.copy())])
    assert merge_by_image([first, second, second]) == [first]


def test_complete_tags_stay_complete():
    complete = part(tags={'cat', 'dog'}, tags_complete=True)
    (merged,) = merge_by_image([part(tags={'cat'}), complete])
    assert merged == complete


DENSE = DenseMap(['cat'], np.zeros((2, 3), np.uint8))


@pytest.mark.parametrize(
    'first, second, what',
    [
        (part(), part(size=(3, 2)), r'is \(2, 3\) in one file and \(3, 2\)'),
        (part(dense=DENSE), part(dense=DENSE), 'two dense maps'),
        (part(tags={'a'}, tags_complete=True), part(tags={'b'}), r"\['b'\] are tags"),
        (part(tags={'a'}), part(absent={'a'}), 'absent in another'),
        (part(absent={'a'}), part(points=[Point('a', 1, 1)]), 'absent in another'),
        (
            part(tags={'a'}, tags_complete=True),
            part(points=[Point('b', 1, 1)]),
            r"\['b'\] are tags or shapes",
        ),
    ],
)
def test_contradictions_name_the_image(first, second, what):
    with pytest.raises(AnnotationError, match=f'^a.jpg: .*{what}'):
        merge_by_image([first, second])
    with pytest.raises(AnnotationError, match='^a.jpg: '):
        merge_by_image([second, first])
