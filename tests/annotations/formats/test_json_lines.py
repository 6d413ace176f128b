"""JSON Lines lose nothing, follow their schema, and accept nothing else."""

import base64
import json
import random
import zlib

import numpy as np
import pytest
from annotations.formats.damaged_json import mutated
from hypothesis import given, settings, strategies as st

from mmseg_spml.annotations.formats import (
    detect_format,
    json_lines,
    read_annotations,
    write_annotations,
)
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.annotations.pixel_maps import DenseMap, Mask

LABELS = st.sampled_from(['cat', 'dog', 'Łódź 船', None])
COORDINATES = st.floats(-1e6, 1e6)
VERTICES = st.tuples(COORDINATES, COORDINATES)
NAMES = st.frozensets(st.sampled_from(['cat', 'dog', 'cow']))


def arrays(size, dtype, high):
    data = st.binary(min_size=size[0] * size[1], max_size=size[0] * size[1])
    return data.map(
        lambda raw: (np.frombuffer(raw, np.uint8) % high).astype(dtype).reshape(size)
    )


@st.composite
def boxes(draw):
    x0, y0 = draw(st.floats(-99, 99)), draw(st.floats(-99, 99))
    sides = st.floats(0.01, 99)
    return Box(draw(LABELS), x0, y0, x0 + draw(sides), y0 + draw(sides))


@st.composite
def annotations(draw):
    size = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    tags = draw(NAMES)
    dense = st.builds(
        DenseMap,
        st.just(('cat', 'dog')),
        arrays(size, np.uint8, 4).map(
            lambda values: np.array([0, 1, 254, 255], np.uint8)[values]
        ),
    )
    rings = st.lists(VERTICES, min_size=3, max_size=5)
    return WeakAnnotation(
        draw(st.sampled_from(['a.jpg', 'x/ä b.png'])),
        *size,
        tags=tags,
        absent=draw(NAMES) - tags,
        tags_complete=draw(st.booleans()),
        boxes=draw(st.lists(boxes(), max_size=3)),
        boxes_complete=draw(st.booleans()),
        points=draw(st.lists(st.builds(Point, LABELS, COORDINATES, COORDINATES))),
        strokes=draw(
            st.lists(
                st.builds(
                    Stroke,
                    LABELS,
                    st.lists(VERTICES, min_size=1, max_size=4),
                    st.none() | st.floats(0.1, 50),
                ),
                max_size=3,
            )
        ),
        polygons=draw(
            st.lists(
                st.builds(Polygon, LABELS, st.lists(rings, min_size=1, max_size=2)),
                max_size=2,
            )
        ),
        masks=draw(
            st.lists(st.builds(Mask, LABELS, arrays(size, bool, 2)), max_size=2)
        ),
        dense=draw(st.none() | dense),
    )


@settings(max_examples=100, deadline=None, derandomize=True)
@given(annotation=annotations())
def test_nothing_is_lost(annotation):
    record = json.loads(json.dumps(json_lines.to_record(annotation)))
    assert json_lines.of_record(record) == annotation


@settings(max_examples=100, deadline=None, derandomize=True)
@given(annotation=annotations())
def test_records_follow_the_schema(annotation):
    jsonschema = pytest.importorskip('jsonschema')
    record = json.loads(json.dumps(json_lines.to_record(annotation)))
    jsonschema.validate(record, json.loads(json_lines.SCHEMA.read_text()))


def some_annotations():
    mask = np.zeros((4, 6), bool)
    mask[1, 2:5] = True
    return [
        WeakAnnotation(
            'x/a.jpg', 4, 6,
            tags={'cat', 'dog'}, absent={'cow'},
            boxes=[Box('cat', 0, 0.5, 3, 4)], boxes_complete=True,
            points=[Point('cat', 1.25, 2)],
            strokes=[Stroke('dog', [(0, 0), (3, 3.5)], 3), Stroke(None, [(1, 1)])],
            polygons=[Polygon('dog', [[(0, 0), (6, 0), (6, 4)]])],
            masks=[Mask('cat', mask)],
            dense=DenseMap(['background', 'cat'], mask.astype(np.uint8)),
        ),
        WeakAnnotation('b.jpg', 1, 1, tags_complete=True),
    ]  # fmt: skip


def test_file(tmp_path):
    path = tmp_path / 'weak.jsonl'
    assert write_annotations(some_annotations(), path, 'jsonl') == 0
    assert detect_format(path) == 'jsonl'
    assert list(read_annotations(path)) == some_annotations()
    assert path.read_text().splitlines()[1] == (
        '{"image": "b.jpg", "size": [1, 1], "tags_complete": true}'
    )


def test_a_line_as_documented(tmp_path):
    path = tmp_path / 'weak.jsonl'
    path.write_text(
        '{"image": "a.jpg", "size": [2, 3], "tags": ["cat"],'
        ' "points": [{"label": "cat", "at": [1.5, 0.5]}],'
        ' "masks": [{"label": null, "rle": [4, 2]}]}\n\n'
    )
    mask = np.array([[False, False, True]] * 2)
    assert list(read_annotations(path)) == [
        WeakAnnotation('a.jpg', 2, 3, tags={'cat'}, points=[Point('cat', 1.5, 0.5)],
                       masks=[Mask(None, mask)])
    ]  # fmt: skip


@pytest.mark.parametrize(
    'change, what',
    [
        ({'image': '../a.jpg'}, 'leads out'),
        ({'size': [2]}, r'\[height, width\]'),
        ({'size': [2, 10**30]}, 'width'),
        ({'size': {'h': 2}}, 'size must be a list'),
        ({'color': 1}, "unknown \\['color'\\]"),
        ({'tags': 'cat'}, 'tags must be a list'),
        ({'tags': [3]}, 'no class name'),
        ({'tags_complete': 1}, 'true or false'),
        ({'boxes': [{'label': 'cat', 'box': [0, 0, 1]}]}, r'boxes\[0\]: a box is'),
        ({'boxes': [{'label': 'cat'}]}, r"boxes\[0\]: the shape lacks \['box'\]"),
        ({'points': [{'label': 'cat', 'at': [0, 'x']}]}, r'points\[0\]: a coord'),
        ({'points': {'0': 1}}, 'points must be a list'),
        ({'strokes': [{'label': 'c', 'path': [[0, 0]], 'width': -1}]}, 'width above 0'),
        ({'polygons': [{'label': 'c', 'rings': [[0, 1, 2]]}]}, 'expected a list'),
        ({'masks': [{'label': 'c', 'rle': [5]}]}, r'masks\[0\]: .*covers 5'),
        ({'dense': {'classes': ['a'], 'png': 'AAAA'}}, 'cannot be decoded'),
        ({'dense': {'classes': ['a'], 'png': 'é'}}, 'cannot be decoded'),
        ({'dense': {'classes': ['a'], 'png': 7}}, 'cannot be decoded'),
    ],
)
def test_malformed_records(change, what, tmp_path):
    path = tmp_path / 'weak.jsonl'
    good = {'image': 'a.jpg', 'size': [2, 3]}
    path.write_text(json.dumps(good) + '\n' + json.dumps({**good, **change}) + '\n')
    reader = read_annotations(path)
    next(reader)
    with pytest.raises(AnnotationError, match=rf'weak.jsonl, line 2.*{what}'):
        next(reader)


def test_a_dense_map_that_claims_billions_of_pixels():
    header = b'IHDR' + (60_000).to_bytes(4, 'big') * 2 + bytes([8, 0, 0, 0, 0])
    bomb = b'\x89PNG\r\n\x1a\n' + (13).to_bytes(4, 'big') + header
    bomb += zlib.crc32(header).to_bytes(4, 'big')
    dense = {'classes': ['cat'], 'png': base64.b64encode(bomb).decode()}
    with pytest.raises(AnnotationError, match='cannot be decoded'):
        json_lines.of_record({'image': 'a.jpg', 'size': [2, 3], 'dense': dense})


def test_a_dense_map_of_another_size_is_not_even_decoded(tmp_path):
    record = json_lines.to_record(some_annotations()[0])
    record['size'] = [5, 6]
    del record['masks']
    with pytest.raises(AnnotationError, match='5 x 6, got PNG L'):
        json_lines.of_record(record)


@pytest.mark.parametrize(
    'content, what',
    [
        (b'[' * 100_000, 'not a JSON object'),
        (b'{"image": "a.jpg"', 'not a JSON object'),
        (b'[1]', 'no JSON object'),
        (b'{"image": "\xff"}', 'UTF-8'),
    ],
)
def test_files_of_something_else(content, what, tmp_path):
    path = tmp_path / 'weak.jsonl'
    path.write_bytes(content)
    with pytest.raises(AnnotationError, match=f'weak.jsonl.*{what}'):
        list(read_annotations(path))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_fuzzed_records_are_read_or_refused(seed):
    record = json_lines.to_record(some_annotations()[0])
    record = json.loads(json.dumps(record))
    try:
        json_lines.of_record(mutated(record, random.Random(seed)))
    except AnnotationError:
        pass


def test_unknown_formats(tmp_path):
    with pytest.raises(FileNotFoundError, match='nothing.json'):
        detect_format(tmp_path / 'nothing.json')
    path = tmp_path / 'a.bin'
    path.write_bytes(b'\0\1')
    with pytest.raises(AnnotationError, match="a.bin: is in no known format.*'jsonl'"):
        detect_format(path)
    with pytest.raises(AnnotationError, match="'yaml' is no known format"):
        read_annotations(path, 'yaml')


def test_a_byte_order_mark_is_skipped(tmp_path):
    path = tmp_path / 'a.jsonl'
    path.write_text('{"image": "a.jpg", "size": [2, 3]}', encoding='utf-8-sig')
    assert list(json_lines.read(path)) == [WeakAnnotation('a.jpg', 2, 3)]


def test_a_mistyped_key():
    record = {'image': 'a.jpg', 'size': [2, 3], 'tag': ['cat']}
    with pytest.raises(AnnotationError, match="line has unknown .'tag'.; known"):
        json_lines.of_record(record)
