"""Seed label maps of samples: which classes, which boxes, what is left unlabeled."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mmseg_spml.annotations.model import Box, WeakAnnotation
from mmseg_spml.datasets.annotation_samples import packed
from mmseg_spml.datasets.list_files import add_names, check_own_files
from mmseg_spml.datasets.seed_files import (
    SeedMaker,
    check_outputs,
    make_seed_file,
)
from mmseg_spml.datasets.weak_seg import WeakSegDataset
from mmseg_spml.functional.seeds.cam import seeds_of_boxes, seeds_of_tags
from mmseg_spml.functional.seeds.cam_files import save_cam
from mmseg_spml.io.index_maps import read_index_map, write_index_map

C = 3
SIZE = (20, 30)
CLASSES = ('background', 'cat', 'dog')


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    image = np.full((*SIZE, 3), 90, np.uint8)
    image[6:14, 8:20] = 220
    (tmp_path / 'cams').mkdir()
    (tmp_path / 'regions').mkdir()
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    cams = {1: rng.random(SIZE), 2: rng.random(SIZE)}
    save_cam(tmp_path / 'cams' / 'a.npz', cams)
    write_index_map(str(tmp_path / 'regions' / 'a.png'), rng.integers(0, 6, SIZE))
    return tmp_path


def maker(folder, method='tags', **options):
    cams = None if method == 'grabcut' else str(folder / 'cams')
    return SeedMaker(C, method, options, cams)


def sample(folder, boxes=None, complete=True, **kwargs):
    if boxes is not None:
        annotation = WeakAnnotation(
            'a.png', *SIZE, boxes=boxes, boxes_complete=complete
        )
        kwargs.update(annotation=packed(annotation), class_names=CLASSES)
    return dict(img_path=str(folder / 'a.png'), **kwargs)


def cams_of(folder):
    rng = np.random.default_rng(0)
    maps = {1: rng.random(SIZE), 2: rng.random(SIZE)}
    return {label: cam.astype(np.float32) for label, cam in maps.items()}


def test_tags_leave_out_maps_of_absent_classes(folder):
    options = dict(alpha=2, threshold=0.5)
    expected = seeds_of_tags({2: cams_of(folder)[2]}, SIZE, unlabeled=C, **options)
    seeds = maker(folder, **options).seeds(sample(folder, tags=np.array([1, 0, 1])))
    assert (seeds == expected).all()
    both = maker(folder, **options).seeds(sample(folder))
    assert (both == seeds_of_tags(cams_of(folder), SIZE, unlabeled=C, **options)).all()


def test_nothing_is_background_where_a_tag_is_unknown(folder):
    seeds = maker(folder).seeds(sample(folder, tags=np.array([0, -1, 1])))
    assert set(seeds.ravel()) == {2, C}
    nothing = maker(folder).seeds(sample(folder, tags=np.array([0, -1, -1])))
    assert (nothing == C).all()


def test_an_image_without_tags_is_background(folder):
    seeds = maker(folder).seeds(sample(folder, tags=np.zeros(C, int)))
    assert seeds.shape == SIZE
    assert (seeds == 0).all()


def test_region_means(folder):
    options = dict(alpha=2, threshold=0.5)
    averaged = SeedMaker(
        C, 'tags', options, str(folder / 'cams'), str(folder / 'regions')
    )
    seeds = averaged.seeds(sample(folder))
    regions = read_index_map(str(folder / 'regions' / 'a.png'))
    assert all(len(set(seeds[regions == r])) == 1 for r in np.unique(regions))


def test_boxes(folder):
    boxes = [Box('cat', 2, 3, 12, 15), Box('dog', 8, 5, 25, 18)]
    seeds = maker(folder, 'boxes', alpha=3).seeds(sample(folder, boxes))
    plain = [(1, 2, 3, 12, 15), (2, 8, 5, 25, 18)]
    expected = seeds_of_boxes(cams_of(folder), plain, SIZE, alpha=3, unlabeled=C)
    assert (seeds == expected).all()


@pytest.mark.parametrize('method', ['boxes', 'grabcut'])
def test_outside_of_boxes_is_background_only_if_they_are_complete(folder, method):
    inside = np.zeros(SIZE, bool)
    inside[4:16, 5:24] = True
    boxes = [Box('cat', 5, 4, 24, 16)]
    complete = maker(folder, method).seeds(sample(folder, boxes))
    partial = maker(folder, method).seeds(sample(folder, boxes, complete=False))
    assert (complete[~inside] == 0).all()
    assert (partial[~inside] == C).all()
    assert (complete[inside] == partial[inside]).all()
    assert 1 in complete[inside]


def test_the_config_may_say_that_boxes_are_complete(folder):
    boxes = [Box('cat', 5, 4, 24, 16)]
    known = SeedMaker(C, 'grabcut', boxes_complete=True)
    seeds = known.seeds(sample(folder, boxes, complete=False))
    assert (seeds == maker(folder, 'grabcut').seeds(sample(folder, boxes))).all()
    doubted = SeedMaker(C, 'grabcut', boxes_complete=False)
    assert 0 not in doubted.seeds(sample(folder, boxes))


@pytest.mark.parametrize('turned', [False, True])
def test_grabcut_of_large_images_works_at_a_bounded_size(tmp_path, turned):
    small = np.full((20, 30, 3), 90, np.uint8)
    small[6:14, 8:20] = 220
    large = small.repeat(4, axis=0).repeat(4, axis=1)
    seeds = {}
    for name, image, scale in (('small', small, 1), ('large', large, 4)):
        corners = np.multiply([(5, 4), (24, 4), (24, 16), (5, 16)], scale).tolist()
        box = Box.around('cat', corners)
        if not turned:
            box = Box('cat', *box.bounds)
        cv2.imwrite(str(tmp_path / f'{name}.png'), image)
        weak = WeakAnnotation(f'{name}.png', *image.shape[:2], boxes=[box])
        seeds[name] = SeedMaker(C, 'grabcut', boxes_complete=True, max_side=30).seeds(
            dict(
                img_path=str(tmp_path / f'{name}.png'),
                annotation=packed(weak),
                class_names=CLASSES,
            )
        )
    assert set(np.unique(seeds['small'])) == {0, 1, C}
    enlarged = seeds['small'].repeat(4, axis=0).repeat(4, axis=1)
    assert seeds['large'].dtype == np.uint8
    assert (seeds['large'] == enlarged).all()


@pytest.mark.parametrize('method', ['boxes', 'grabcut'])
def test_a_box_without_a_class_says_nothing_of_its_inside(folder, method):
    boxes = [Box('cat', 5, 4, 24, 16), Box(None, 25, 0, 30, 5)]
    seeds = maker(folder, method).seeds(sample(folder, boxes))
    assert (seeds[:5, 25:] == C).all()
    assert (seeds[17:, 25:] == 0).all()


def test_a_box_without_a_class_on_one_with(folder):
    boxes = [Box('cat', 5, 4, 24, 16), Box(None, 5, 4, 24, 16)]
    seeds = maker(folder, 'boxes').seeds(sample(folder, boxes))
    assert 0 not in seeds[4:16, 5:24]


def of_paths(*paths):
    samples = [dict(img_path=path) for path in paths]
    add_names(samples)
    return samples


def test_names_must_differ():
    check_outputs(of_paths('x/a.jpg', 'x/b.jpg'), 'out')
    check_outputs(of_paths('x/a.jpg', 'y/a.png'), 'out')
    with pytest.raises(ValueError, match=r'a\.jpg and .*a\.png would share .* a\.\*'):
        check_outputs(of_paths('x/a.jpg', 'x/a.png'), 'out')
    unnamed = [dict(img_path='x/a.jpg'), dict(img_path='y/a.png')]
    with pytest.raises(ValueError, match=r'x/a\.jpg and y/a\.png'):
        check_outputs(unnamed, 'out')


def test_names_do_not_depend_on_the_list():
    samples = [dict(img_path='images/x/a.png')]
    add_names(samples, 'images')
    assert samples[0]['map_name'] == 'x/a'
    add_names(samples)
    assert samples[0]['map_name'] == 'a'


def test_images_are_not_read_with_files_of_others(tmp_path):
    (tmp_path / 'a.npz').touch()
    samples = of_paths('x/a.jpg', 'y/a.jpg')
    with pytest.raises(ValueError, match=r'x/a\.jpg and y/a\.jpg would share .*a\.npz'):
        check_own_files(samples, str(tmp_path), '.npz', '.npy')
    (tmp_path / 'x').mkdir()
    (tmp_path / 'x' / 'a.npz').touch()
    check_own_files(samples, str(tmp_path), '.npz')
    check_own_files(samples, None, '.npz')


def test_images_in_subfolders_are_not_written_over():
    samples = of_paths('images/x/a.png', 'images/y/a.png')
    assert [sample['map_name'] for sample in samples] == ['x/a', 'y/a']
    check_outputs(samples, 'out')
    with pytest.raises(ValueError, match='name another folder'):
        check_outputs(samples, 'images')


def test_images_of_one_name_have_seeds_of_their_own(tmp_path):
    for number, folder in enumerate('xy'):
        image = str(tmp_path / 'images' / folder / 'a.png')
        write_index_map(image, np.zeros((4, 6), np.uint8))
        cams = {number + 1: np.ones((4, 6))}
        (tmp_path / 'cams' / folder).mkdir(parents=True)
        save_cam(tmp_path / 'cams' / folder / 'a.npz', cams)
        mask = np.full((4, 6), number + 1)
        write_index_map(str(tmp_path / 'masks' / folder / 'a.png'), mask)
    images = tmp_path / 'images'
    samples = of_paths(*(str(images / folder / 'a.png') for folder in 'xy'))
    made = [
        make_seed_file(
            sample,
            SeedMaker(C, cams=str(tmp_path / 'cams')),
            str(tmp_path / 'seeds'),
            truth=str(tmp_path / 'masks'),
        )
        for sample in samples
    ]
    assert [file.name for file in made] == ['x/a.png', 'y/a.png']
    for number, (file, folder) in enumerate(zip(made, 'xy')):
        assert file.confusion[number + 1, number + 1] == 24, file
        assert (
            read_index_map(tmp_path / 'seeds' / folder / 'a.png') == number + 1
        ).all()


@pytest.mark.parametrize('out', ['x', 'x/', 'labels/../labels', 'regions'])
def test_what_is_read_is_not_written_over(out):
    samples = [
        dict(
            img_path='x/a.jpg',
            seg_map_path='labels/a.png',
            region_map_path='regions/a.png',
        )
    ]
    check_outputs(samples, 'out')
    with pytest.raises(ValueError, match='name another folder'):
        check_outputs(samples, out)


def test_what_is_wrong_for_every_image_is_found_first(folder):
    maker(folder).check()
    maker(folder, 'boxes').check()
    maker(folder, 'grabcut').check()
    with pytest.raises(FileNotFoundError, match='no folder nowhere'):
        SeedMaker(C, cams='nowhere').check()
    with pytest.raises(FileNotFoundError, match='no folder nowhere'):
        SeedMaker(C, cams=str(folder / 'cams'), regions='nowhere').check()
    with pytest.raises(ValueError, match='threshold'):
        maker(folder, threshold=2).check()
    with pytest.raises(ValueError, match='margin'):
        maker(folder, 'grabcut', margin=-1).check()


def test_files_and_counts(folder):
    mask = np.random.default_rng(1).integers(0, C, SIZE).astype(np.uint8)
    mask[0] = 255
    (folder / 'truth').mkdir()
    write_index_map(str(folder / 'truth' / 'a.png'), mask)
    out = folder / 'out'
    done = make_seed_file(
        sample(folder), maker(folder, threshold=0.6), str(out), str(folder / 'truth')
    )
    seeds = read_index_map(str(out / 'a.png'))
    assert done.error is None
    assert done.labeled == (seeds < C).mean()
    for truth, seed in np.ndindex(C, C + 1):
        expected = ((mask == truth) & (seeds == seed)).sum()
        assert done.confusion[truth, seed] == expected
    assert make_seed_file(sample(folder), maker(folder), str(out)).confusion is None


def test_one_bad_image_is_an_entry_not_an_exception(folder):
    missing = dict(img_path=str(folder / 'b.png'))
    assert 'b.png' in make_seed_file(missing, maker(folder), 'out').error
    nowhere = make_seed_file(sample(folder), maker(folder, 'grabcut'), 'out').error
    assert "list_format='annotations'" in nowhere
    boxed = sample(folder, [Box('bird', 2, 3, 12, 15)])
    assert 'bird' in make_seed_file(boxed, maker(folder, 'boxes'), 'out').error
    write_index_map(str(folder / 'a.png'), np.zeros((5, 5), np.uint8))
    small = make_seed_file(sample(folder), maker(folder), 'out').error
    assert 'expected maps of the size (5, 5)' in small
    boxed = sample(folder, [Box('cat', 2, 3, 12, 15)])
    assert '(5, 5)' in make_seed_file(boxed, maker(folder, 'grabcut'), 'out').error


def test_maps_of_classes_beyond_the_last(folder):
    save_cam(folder / 'cams' / 'a.npz', {C: np.zeros(SIZE)})
    with pytest.raises(ValueError, match=r'expected 1..2'):
        maker(folder).seeds(sample(folder))


def test_wrong_methods():
    with pytest.raises(ValueError, match='one of'):
        SeedMaker(C, 'tag', cams='cams')
    with pytest.raises(ValueError, match='max_side must be 1 pixel'):
        SeedMaker(C, 'grabcut', max_side=0)
    with pytest.raises(ValueError, match='only .* has max_side'):
        SeedMaker(C, 'tags', cams='cams', max_side=9)
    with pytest.raises(ValueError, match='folder of activation maps'):
        SeedMaker(C, 'tags')
    with pytest.raises(ValueError, match='uses none'):
        SeedMaker(C, 'grabcut', cams='cams')
    with pytest.raises(ValueError, match=r"no options \['alpha'\]; .*'margin'"):
        SeedMaker(C, 'grabcut', dict(alpha=3))
    with pytest.raises(ValueError, match='unlabeled'):
        SeedMaker(C, 'tags', dict(unlabeled=3), 'cams')
    with pytest.raises(ValueError, match='no boxes'):
        SeedMaker(C, cams='cams', boxes_complete=True)
    with pytest.raises(ValueError, match='no regions'):
        SeedMaker(C, 'grabcut', regions='regions')


VOC_XML = """<annotation><filename>{stem}.jpg</filename>
<size><width>30</width><height>20</height><depth>3</depth></size>
<object><name>cat</name><bndbox><xmin>6</xmin><ymin>5</ymin><xmax>24</xmax>
<ymax>16</ymax></bndbox></object></annotation>"""


def test_from_the_files_of_voc(folder):
    (folder / 'Annotations').mkdir()
    (folder / 'JPEGImages').mkdir()
    for stem in ('a', 'b', 'c'):
        (folder / 'Annotations' / f'{stem}.xml').write_text(VOC_XML.format(stem=stem))
        image = cv2.imread(str(folder / 'a.png'))
        cv2.imwrite(str(folder / 'JPEGImages' / f'{stem}.jpg'), image)
    (folder / 'list.txt').write_text('c\na\n')
    options = dict(
        metainfo=dict(classes=CLASSES),
        data_root=str(folder),
        ann_file='Annotations',
        list_format='annotations',
        image_list='list.txt',
        data_prefix=dict(img_path='JPEGImages'),
    )
    dataset = WeakSegDataset(**options)
    assert [Path(s['img_path']).stem for s in dataset] == ['c', 'a']
    seeds = SeedMaker(C, 'grabcut', boxes_complete=True).seeds(dataset[1])
    inside = np.zeros(SIZE, bool)
    inside[4:16, 5:24] = True
    assert (seeds[~inside] == 0).all()
    assert (seeds[8:13, 9:19] == 1).all()
    (folder / 'list.txt').write_text('a\nd\n')
    with pytest.raises(ValueError, match='does not annotate, such as d'):
        WeakSegDataset(**options)


@pytest.mark.parametrize('max_side', [160, 512, 1024])
@pytest.mark.parametrize('box', [(803, 104, 1207, 296), (802, 20, 805, 180)])
def test_enlarged_seeds_end_where_the_boxes_do(tmp_path, box, max_side):
    image = np.random.default_rng(0).integers(80, 100, (400, 1600, 3), np.uint8)
    image[box[1] : box[3], box[0] : box[2]] += 120
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    weak = WeakAnnotation('a.png', 400, 1600, boxes=[Box('cat', *box)])
    seeds = SeedMaker(C, 'grabcut', boxes_complete=True, max_side=max_side).seeds(
        dict(
            img_path=str(tmp_path / 'a.png'),
            annotation=packed(weak),
            class_names=CLASSES,
        )
    )
    inside = seeds[box[1] : box[3], box[0] : box[2]]
    assert set(np.unique(inside)) <= {1, C} and (inside == 1).any()
    assert (seeds != 0).sum() == inside.size
