"""The choices of a project for each kind of labels and images."""

from dataclasses import replace

import numpy as np
import pytest
from projects import made_up

from mmseg_spml.annotations.model import Point, WeakAnnotation
from mmseg_spml.projects.choices import make_plan
from mmseg_spml.projects.survey import take_survey


@pytest.fixture
def survey(tmp_path):
    return take_survey(*made_up.make_data(tmp_path))


def chosen(plan):
    return {choice.name: choice for choice in plan.choices}


def large(survey, height, width, points, number=4):
    """The survey of larger images with clicks at parts of their sides."""
    annotations = [
        WeakAnnotation(
            f'{index:03d}.jpg',
            height,
            width,
            points=[Point('cat', x * width, y * height) for x, y in points],
        )
        for index in range(number)
    ]
    return replace(survey, annotations=annotations)


def test_small_images(survey):
    plan = make_plan(survey, cuda=False)
    assert (plan.supervision, plan.loss) == ('pixels', 'propagation')
    assert plan.max_side is None and plan.crop == made_up.SIDE
    assert (plan.batch, plan.max_iters, plan.variant) == (8, 600, 'lite0')
    assert plan.train == ['00.jpg', '01.jpg', '02.jpg', '03.jpg']
    assert not plan.held_out and not plan.drop_unmarked
    assert all(choice.reason.endswith('.') for choice in plan.choices)
    text = ' '.join(plan.warnings)
    assert '4 images are few' in text and "undeclared_tags='unknown'" in text


def test_photographs_with_many_labels_keep_their_size(survey):
    steps = np.linspace(0.05, 0.95, 8)
    grid = [(x, y) for x in steps for y in steps]
    plan = make_plan(large(survey, 750, 1000, grid), cuda=False)
    assert plan.max_side is None and plan.crop == 320
    plan = make_plan(large(survey, 3000, 4000, grid), cuda=False)
    assert plan.max_side == 1024 and plan.crop == 320
    assert '1024 pixels a side' in chosen(plan)['size'].value
    assert make_plan(large(survey, 3000, 4000, grid), cuda=True).max_side == 2048


def test_photographs_with_few_labels_are_shrunk(survey):
    plan = make_plan(large(survey, 3000, 4000, [(0.5, 0.5)]), cuda=False)
    assert plan.max_side == 640 and plan.crop == 320
    plan = make_plan(large(survey, 3000, 4000, [(0.02, 0.02)]), cuda=False)
    assert plan.max_side == 512 and plan.crop == 384
    assert 'of the crops hold a labeled pixel, even of' in ' '.join(plan.warnings)


def test_images_are_held_out(survey):
    plan = make_plan(large(survey, 64, 64, [(0.5, 0.5)], number=100), cuda=False)
    assert len(plan.held_out) == 14 and len(plan.train) == 86
    assert not set(plan.held_out) & set(plan.train)
    plan = make_plan(large(survey, 64, 64, [(0.5, 0.5)], number=1000), cuda=False)
    assert len(plan.held_out) == 50 and plan.max_iters == 1000


@pytest.mark.parametrize(
    'annotate, supervision, loss',
    [(made_up.boxes, 'boxes', 'propagation'), (made_up.tags, 'tags', 'propagation')],
)
def test_labels_without_pixels(tmp_path, annotate, supervision, loss):
    survey = take_survey(*made_up.make_data(tmp_path, annotate=annotate))
    plan = make_plan(survey, cuda=False)
    assert plan.supervision == supervision and len(plan.train) == 4
    assert plan.loss == loss
    told = ' '.join(choice.reason for choice in plan.choices)
    assert ('BoxTightnessLoss' in told) == (supervision == 'boxes')
    assert make_plan(survey, cuda=False, loss='dense_crf').loss == 'dense_crf'


def test_other_kinds_are_left_out(survey):
    survey.annotations[0] = made_up.tags('00.jpg', 'cat')
    plan = make_plan(survey, cuda=False)
    assert plan.train == ['01.jpg', '02.jpg', '03.jpg']
    assert '1 images with another kind of annotations are left out' in plan.warnings[0]
    assert 'they join if they are 5 times as many' in plan.warnings[0]
    assert not plan.tagged and 'tags' not in chosen(plan)


def test_many_images_with_boxes_or_tags_alone_join(tmp_path):
    survey = take_survey(*made_up.make_data(tmp_path, 6, annotate=made_up.mixed))
    plan = make_plan(survey, cuda=False)
    assert plan.supervision == 'pixels' and plan.train == ['00.jpg']
    assert plan.tagged == ['01.jpg', '02.jpg', '03.jpg', '04.jpg', '05.jpg']
    assert plan.batch == 12 and 'of 8 crops' in chosen(plan)['length'].value
    assert 'in batches of 12' in chosen(plan)['tags'].value
    assert 'are left out' not in ' '.join(plan.warnings)
    for loss in ('spml', 'cross_entropy', 'dense_crf'):
        other = make_plan(survey, cuda=False, loss=loss)
        assert not other.tagged and other.batch == 8
        assert '5 images with another kind' in other.warnings[0]
        assert 'only label propagation learns from them' in other.warnings[0]


def test_images_that_are_held_out_do_not_join(tmp_path):
    survey = take_survey(*made_up.make_data(tmp_path, 7, annotate=made_up.mixed))
    survey.masked = ['06.jpg']
    plan = make_plan(survey, cuda=False)
    assert plan.held_out == ['06.jpg'] and '06.jpg' not in plan.tagged
    assert 'are left out' not in ' '.join(plan.warnings)
    assert len(plan.tagged) == 5


def test_complete_boxes_label_the_background(tmp_path):
    survey = take_survey(*made_up.make_data(tmp_path, 7, annotate=made_up.mixed))
    survey.annotations[1] = replace(survey.annotations[1], boxes_complete=True)
    plan = make_plan(survey, cuda=False)
    assert '01.jpg' not in plan.tagged and len(plan.tagged) == 5
    assert '1 images with another kind' in ' '.join(plan.warnings)
    survey.annotations.pop()
    assert not make_plan(survey, cuda=False).tagged


def test_no_more_images_join_than_can_be_seen(survey):
    labeled, first = survey.annotations[0], made_up.tags('0.jpg', 'cat')
    many = [replace(first, image=f'{index}.jpg') for index in range(5000)]
    plan = make_plan(replace(survey, annotations=[labeled, *many]), cuda=False)
    assert len({*plan.tagged}) == len(plan.tagged) == 2400 == plan.max_iters * 4
    assert (plan.tagged[0], plan.tagged[-1]) == ('0.jpg', '4999.jpg')
    assert '2600 images with another kind' in ' '.join(plan.warnings)
    assert 'no more can be seen' in ' '.join(plan.warnings)


def test_boxes_do_not_take_images_with_tags(tmp_path):
    survey = take_survey(*made_up.make_data(tmp_path, 4, annotate=made_up.boxes))
    survey.annotations[0] = made_up.tags('00.jpg', 'cat')
    plan = make_plan(survey, cuda=False)
    assert 'this model learns from boxes' in ' '.join(plan.warnings)


def test_undeclared_tags_of_images_that_join(tmp_path):
    survey = take_survey(*made_up.make_data(tmp_path, 7, annotate=made_up.mixed))
    complete = [replace(one, tags_complete=True) for one in survey.annotations]
    plan = make_plan(replace(survey, annotations=complete), cuda=False)
    assert plan.tagged and 'counts as absent' not in ' '.join(plan.warnings)
    complete[3] = replace(complete[3], tags_complete=False)
    plan = make_plan(replace(survey, annotations=complete), cuda=False)
    assert 'counts as absent' in ' '.join(plan.warnings)


def test_labels_in_a_part_of_the_images(survey):
    corner = [(0.1, 0.1), (0.4, 0.4)]
    assert make_plan(large(survey, 200, 200, corner), cuda=False).drop_unmarked
    spread = [(0.1, 0.1), (0.9, 0.9)]
    assert not make_plan(large(survey, 200, 200, spread), cuda=False).drop_unmarked


def test_rare_classes_are_named(survey):
    assert 'may be lost' not in ' '.join(make_plan(survey, cuda=False).warnings)
    survey.report.pixels.update(background=100_000)
    text = ' '.join(make_plan(survey, cuda=False).warnings)
    count = survey.pixels['cat']
    assert f"'cat' has {count} labeled pixels, the commonest class 1" in text
    assert "'dog' has" in text and "'background' has" not in text


def test_images_must_not_share_a_file_of_seeds(survey):
    def plan(*names):
        boxed = [made_up.boxes(name, 'cat') for name in names]
        return make_plan(replace(survey, annotations=boxed), cuda=False)

    assert plan('a/0.jpg', 'b/0.jpg').train == ['a/0.jpg', 'b/0.jpg']
    message = 'the seeds of a/0.jpg and a/0.png would share the file a/0.png'
    with pytest.raises(ValueError, match=message):
        plan('a/0.jpg', 'a/0.png')


def test_new_labels_of_boxes_need_a_new_project(survey):
    boxed = [made_up.boxes(f'{number}.jpg', 'cat') for number in range(2)]
    reason = make_plan(replace(survey, annotations=boxed), cuda=False).choices[1].reason
    assert 'write a new project' in reason and '--labels' not in reason
    assert 'train with --labels' in make_plan(survey, cuda=False).choices[1].reason


def tagged(name, tags, absent=(), complete=False):
    return WeakAnnotation(
        name, 64, 64, tags=set(tags), absent=set(absent), tags_complete=complete
    )


@pytest.mark.parametrize(
    'annotations, expected',
    [
        ([tagged('0.jpg', ['cat']), tagged('1.jpg', ['dog'])], 'absent'),
        ([tagged('0.jpg', ['cat'], complete=True)] * 2, 'absent'),
        ([tagged('0.jpg', ['cat'], ['dog']), tagged('1.jpg', ['dog'])], 'unknown'),
        (
            [tagged('0.jpg', ['cat']), tagged('1.jpg', ['dog'], complete=True)],
            'unknown',
        ),
        ([made_up.strokes('0.jpg', 'cat'), tagged('1.jpg', ['dog'])], 'absent'),
    ],
)
def test_what_a_table_leaves_open_is_not_absent(survey, annotations, expected):
    plan = make_plan(replace(survey, annotations=annotations), cuda=False)
    assert plan.undeclared == expected
    said = any(choice.name == 'undeclared tags' for choice in plan.choices)
    assert said == (expected == 'unknown')


def test_many_bands(survey):
    survey.bands.clear(), survey.depths.clear()
    survey.bands[5] = survey.depths['uint16'] = 4
    plan = make_plan(survey, cuda=False)
    assert plan.bands == 5 and plan.regions == 'slic'


@pytest.mark.parametrize('bands, depth', [(1, 'uint8'), (3, 'uint8')])
def test_gray_and_color_are_read_as_photographs(survey, bands, depth):
    survey.bands.clear(), survey.depths.clear()
    survey.bands[bands] = survey.depths[depth] = 4
    assert make_plan(survey, cuda=False).bands is None


@pytest.mark.parametrize('bands, depth', [(4, 'uint8'), (3, 'uint16'), (1, 'float32')])
def test_no_band_and_no_bit_is_lost(survey, bands, depth):
    survey.bands.clear(), survey.depths.clear()
    survey.bands[bands] = survey.depths[depth] = 4
    assert make_plan(survey, cuda=False).bands == bands


def test_images_whose_bands_are_unknown(survey):
    survey.unread.append('a.tif cannot be decoded: no codec')
    assert 'a.tif cannot be decoded' in make_plan(survey, cuda=False).warnings[0]


def test_warnings(survey):
    survey.report.pixels['dog'] = survey.report.pixels['background'] = 0
    plan = make_plan(survey, cuda=False)
    text = ' '.join(plan.warnings)
    assert "Nothing is marked as 'background'" in text
    assert "No pixel is marked as 'dog'" in text
    without = replace(survey, classes=('cat', 'dog'))
    for annotation in without.annotations:
        del annotation.strokes[1:]
    warning, *_ = make_plan(without, cuda=False).warnings
    assert "No class is named 'background'" in warning


def test_what_cannot_be_trained(survey):
    with pytest.raises(ValueError, match='loss must be one of'):
        make_plan(survey, cuda=False, loss='l2')
    with pytest.raises(ValueError, match='the class cat alone'):
        make_plan(replace(survey, classes=('cat',)), cuda=False)
