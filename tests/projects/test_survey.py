"""Surveys of annotations and images, computed by hand."""

from functools import partial

import cv2
import numpy as np
import pytest
from projects import made_up

from mmseg_spml.annotations.formats import write_annotations
from mmseg_spml.annotations.model import WeakAnnotation
from mmseg_spml.projects.survey import take_survey


@pytest.mark.parametrize('format', ['jsonl', 'labelme', 'cvat', 'label_studio'])
def test_exports_of_tools(tmp_path, format):
    # Label Studio has no strokes.
    annotate = made_up.points if format == 'label_studio' else made_up.strokes
    source, images = made_up.make_data(
        tmp_path, annotate=annotate, format=format, suffix='.png'
    )
    cv2.imwrite(str(images / 'new.png'), np.zeros((8, 9, 3), np.uint8))
    survey = take_survey(source, images)
    assert survey.format == format
    assert survey.classes == made_up.CLASSES
    assert len(survey.annotations) == 4 and survey.unannotated == ['new.png']
    assert len(survey.labeled) == 4 and not survey.boxed and not survey.tagged
    kind = 'points' if format == 'label_studio' else 'strokes'
    assert survey.report.counts['cat', kind] == 2
    assert survey.largest_side == made_up.SIDE
    assert survey.bands == {3: 4} and survey.depths == {'uint8': 4}


@pytest.mark.parametrize('suffix, bands', [('.png', 3), ('.tif', 4)])
def test_a_fourth_channel_is_alpha_or_a_band(tmp_path, suffix, bands):
    source, images = made_up.make_data(tmp_path, suffix=suffix)
    for path in images.iterdir():
        image = cv2.imread(str(path))
        cv2.imwrite(str(path), np.dstack([image, image[:, :, 0]]))
    assert take_survey(source, images).bands == {bands: 4}


def test_kinds_of_labels(tmp_path):
    source, images = made_up.make_data(tmp_path, 3)
    kinds = [made_up.points, made_up.boxes, made_up.tags]
    parts = [make(f'0{n}.jpg', 'cat') for n, make in enumerate(kinds)]
    write_annotations(parts, source, 'jsonl')
    survey = take_survey(source, images)
    assert [
        [one.image for one in part]
        for part in (survey.labeled, survey.boxed, survey.tagged)
    ] == [['00.jpg'], ['01.jpg'], ['02.jpg']]


def test_images_without_any_object_teach_a_classifier_of_tags(tmp_path):
    source, images = made_up.make_data(tmp_path, 3)
    none = WeakAnnotation('02.jpg', 64, 64, tags_complete=True)
    shown = [made_up.tags(f'0{number}.jpg', 'cat') for number in range(2)]
    write_annotations([*shown, none], source, 'jsonl')
    assert len(take_survey(source, images).tagged) == 3


def test_classes_without_a_background(tmp_path):
    source, images = made_up.make_data(tmp_path, 2)
    only = [
        WeakAnnotation(one.image, *one.size, strokes=one.strokes[:1])
        for one in map(made_up.strokes, ('00.jpg', '01.jpg'), ('dog', 'cat'))
    ]
    write_annotations(only, source, 'jsonl')
    assert take_survey(source, images).classes == ('cat', 'dog')
    # Outside of boxes there is background.
    write_annotations([made_up.boxes('00.jpg', 'cat')], source, 'jsonl')
    assert take_survey(source, images).classes == ('background', 'cat')
    given = take_survey(source, images, classes=['background', 'owl', 'cat'])
    assert given.classes == ('background', 'owl', 'cat')


def test_what_is_missing(tmp_path):
    source, images = made_up.make_data(tmp_path, 2)
    survey = partial(take_survey, source)
    with pytest.raises(FileNotFoundError, match='no folder of images'):
        survey(tmp_path / 'none')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='no image in'):
        survey(tmp_path / 'empty')
    cv2.imwrite(str(tmp_path / 'empty' / 'z.jpg'), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match='annotated are 00.jpg, 01.jpg, .* z.jpg'):
        survey(tmp_path / 'empty')
    (images / '01.jpg').unlink()
    found = survey(images)
    assert found.missing == ['01.jpg'] and len(found.annotations) == 1


def test_the_folder_above_is_named(tmp_path):
    source, images = made_up.make_data(tmp_path, 1)
    write_annotations([made_up.points('images/00.jpg', 'cat')], source, 'jsonl')
    with pytest.raises(ValueError, match=f'Give the folder above it, {tmp_path}'):
        take_survey(source, images)


def test_malformed_entries_do_not_stop_the_others(tmp_path):
    source, images = made_up.make_data(tmp_path, 2)
    source.write_text('{"image": "bad.jpg"}\n' + source.read_text())
    survey = take_survey(source, images)
    assert len(survey.annotations) == 2 and len(survey.problems.found) == 1
    source.write_text('{"image": "bad.jpg"}\n')
    with pytest.raises(ValueError, match='no image; first problem: .*line 1'):
        take_survey(source, images)


def test_a_misspelled_class_is_not_left_out(tmp_path):
    """Its images would be left out, and the training would go on without them."""
    source, images = made_up.make_data(tmp_path)
    first, *others = made_up.CLASSES
    wanted = f"no label is of the class '{others[0]}x', but some are of '{others[0]}'"
    with pytest.raises(ValueError, match=wanted):
        take_survey(source, images, classes=(first, f'{others[0]}x', *others[1:]))
    take_survey(source, images, classes=(*made_up.CLASSES, f'{others[0]}x'))
    with pytest.raises(ValueError, match='correct the name, or name both'):
        turned = others[0][::-1]
        take_survey(source, images, classes=(first, turned, *others[1:]))
