"""The file of each format is recognized as that format and as no other."""

import warnings

import numpy as np
import pytest
from annotations.formats.all_kinds import CLASSES, OUT, READ_ONLY, everything
from PIL import Image

from mmseg_spml.annotations.formats import (
    FORMATS,
    detect_format,
    format_of_name,
    read_annotations,
    write_annotations,
)
from mmseg_spml.annotations.model import AnnotationError, Box, WeakAnnotation


@pytest.fixture
def images(tmp_path):
    (tmp_path / 'images').mkdir()
    for name in ('a', 'b'):
        image = Image.fromarray(np.zeros((20, 30, 3), np.uint8))
        image.save(tmp_path / f'images/{name}.jpg')
    return tmp_path / 'images'


def test_all_formats_are_covered():
    assert set(OUT) | READ_ONLY == set(FORMATS)


@pytest.mark.parametrize('name', sorted(OUT))
def test_written_files_are_recognized_and_read(name, images, tmp_path):
    path = tmp_path / OUT[name]
    known = [everything('a.jpg'), everything('b.jpg')]
    left_out = write_annotations(known, path, name, classes=CLASSES)
    assert detect_format(path) == name
    found = list(read_annotations(path, images=images, classes=CLASSES))
    assert [annotation.image for annotation in found] == ['a.jpg', 'b.jpg']
    assert all(annotation.size == (20, 30) for annotation in found)
    assert all(annotation.kinds() for annotation in found)
    assert (left_out == 0) == (found == known) == (name == 'jsonl')


@pytest.mark.parametrize('name', sorted(OUT))
def test_lost_completeness_is_counted(name, images, tmp_path):
    def left_out(**flags):
        boxes = [Box('cat', 2, 3, 15, 12)] if 'boxes_complete' in flags else []
        known = WeakAnnotation('a.jpg', 20, 30, tags={'cat'}, boxes=boxes, **flags)
        return write_annotations([known], tmp_path / OUT[name], name, classes=CLASSES)

    for flag in ('tags_complete', 'boxes_complete'):
        kept = left_out(**{flag: True}) <= left_out(**{flag: False})
        assert kept == (flag in getattr(FORMATS[name], 'COMPLETE', ()))


@pytest.mark.parametrize('name', sorted(READ_ONLY))
def test_formats_that_are_only_read(name, tmp_path):
    with pytest.raises(AnnotationError, match='index'):
        write_annotations([everything('a.jpg')], tmp_path / 'a', name, classes=CLASSES)


@pytest.mark.parametrize('content', [b'', b'{}', b'[]', b'<a/>', b'PK\3\4', b'\x89PNG'])
@pytest.mark.parametrize('suffix', ['json', 'xml', 'csv', 'npy', 'txt', 'mat', 'png'])
def test_other_files_are_in_no_known_format(content, suffix, tmp_path):
    path = tmp_path / f'file.{suffix}'
    path.write_bytes(content)
    with pytest.raises(AnnotationError, match=f'file.{suffix}: is in no known format'):
        detect_format(path)


def test_format_to_write_by_the_name():
    assert format_of_name('a.jsonl') == 'jsonl'
    with pytest.raises(AnnotationError, match='--to'):
        format_of_name('a.json')


@pytest.mark.parametrize('name', ['index_png', 'labelme', 'voc_xml'])
def test_files_of_an_earlier_call_are_pointed_out(name, tmp_path):
    path = tmp_path / OUT[name]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        write_annotations([everything('a.jpg')], path, name, classes=CLASSES)
        write_annotations([everything('a.jpg')], path, name, classes=CLASSES)
    (path / 'notes.md').write_text('of another kind')
    with pytest.warns(UserWarning, match=r'keeps files .* 1 in all, such as .*a\.'):
        write_annotations([everything('b.jpg')], path, name, classes=CLASSES)
