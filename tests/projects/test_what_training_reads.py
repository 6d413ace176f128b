"""The data sets of a project's config load, whatever the export is like."""

import json
import re

import cv2
import numpy as np
import pytest
from integration import tiny
from mmengine.config import Config
from mmseg.registry import DATASETS, MODELS
from projects import made_up

from mmseg_spml.annotations.formats import json_lines, write_annotations
from mmseg_spml.annotations.formats.json_lines import to_record
from mmseg_spml.annotations.model import Box, Stroke, WeakAnnotation
from mmseg_spml.datasets.seed_files import SeedMaker
from mmseg_spml.datasets.seed_folder import SeedFolder
from mmseg_spml.functional.seeds.cam_files import save_cam
from mmseg_spml.projects.project import init_project
from mmseg_spml.projects.training import check_inputs, train_project


def loaded(project):
    """The training samples of a project by the names of the images."""
    tiny.registered()
    cfg = Config.fromfile(project.folder / 'config.py')
    steps = [
        step
        for step in cfg.train_pipeline
        if step.type in ('LoadImageFromFile', 'LoadWeakAnnotations')
    ]
    dataset = DATASETS.build({**cfg.train_dataloader.dataset, 'pipeline': steps})
    samples = [dataset[index] for index in range(len(dataset))]
    return {sample['img_path'].rsplit('/', 1)[1]: sample for sample in samples}


def records(*annotations):
    return ''.join(json.dumps(to_record(one)) + '\n' for one in annotations)


def test_a_project_has_its_own_labels(tmp_path):
    source, images = made_up.make_data(tmp_path)
    project = init_project(source, images, tmp_path / 'mine')
    assert list(json_lines.read(tmp_path / 'mine' / 'annotations.jsonl')) == list(
        json_lines.read(source)
    )
    source.unlink()
    assert sorted(loaded(project)) == ['00.jpg', '01.jpg', '02.jpg', '03.jpg']


def test_what_would_stop_training_is_left_out(tmp_path):
    source, images = made_up.make_data(tmp_path)
    good = made_up.strokes('00.jpg', 'cat')
    other_size = WeakAnnotation('01.jpg', 32, 64, strokes=good.strokes)
    contradiction = made_up.strokes('02.jpg', 'cat')
    contradiction.tags, contradiction.tags_complete = {'dog'}, True
    source.write_text(
        '{"image": "bad.jpg"}\n'
        + records(good, other_size, contradiction, made_up.tags('04.jpg', 'dog'))
        + records(made_up.strokes('03.jpg', 'dog'))
    )
    project = init_project(source, images, tmp_path / 'mine')
    assert project.survey.unusable == ['01.jpg', '02.jpg']
    assert project.survey.missing == ['04.jpg']
    assert sorted(loaded(project)) == ['00.jpg', '03.jpg']
    text = ' '.join(project.plan.warnings)
    assert '2 annotated images are left out' in text
    assert '01.jpg: is 64x64, its annotation 32x64' in text
    assert '1 malformed entries were left out' in text
    assert 'train with --labels' in ' '.join(project.summary())


def test_several_entries_of_an_image_are_joined(tmp_path):
    source, images = made_up.make_data(tmp_path)
    first, second = made_up.strokes('00.jpg', 'cat'), made_up.points('00.jpg', 'dog')
    other_size = WeakAnnotation('00.jpg', 9, 9, tags={'cat'})
    source.write_text(records(first, second, other_size))
    project = init_project(source, images, tmp_path / 'mine')
    (annotation,) = project.survey.annotations
    assert annotation.strokes == first.strokes and annotation.points == second.points
    assert 'is (64, 64) in one file' in str(project.survey.problems.found[0])
    assert set(np.unique(loaded(project)['00.jpg']['gt_seg_map'])) == {0, 1, 2, 3}


def test_meanings_of_values_reach_the_training(tmp_path):
    _, images = made_up.make_data(tmp_path, 2)
    masks = tmp_path / 'masks'
    masks.mkdir()
    for name in ('00', '01'):
        mask = np.zeros((made_up.SIDE, made_up.SIDE), np.uint8)
        mask[16:48, 16:48] = 255
        cv2.imwrite(str(masks / f'{name}_mask.png'), mask)
    project = init_project(
        masks,
        images,
        tmp_path / 'mine',
        classes=['background', 'cat'],
        values={255: 'cat'},
        mask_suffix='_mask',
    )
    labels = loaded(project)['00.jpg']['gt_seg_map']
    assert labels[20, 20] == 1 and (labels == 1).sum() == 32 * 32


@pytest.mark.parametrize('name', ['_background_', 'Background', 'bg'])
def test_other_spellings_of_the_background(tmp_path, name):
    source, images = made_up.make_data(tmp_path, 1)
    shapes = [Stroke('cat', [(20, 20), (40, 40)]), Stroke(name, [(2, 2), (60, 2)])]
    weak = WeakAnnotation('00.jpg', 64, 64, strokes=shapes)
    write_annotations([weak], source, 'jsonl')
    project = init_project(source, images, tmp_path / 'mine')
    assert project.survey.classes == ('background', 'cat')
    assert set(np.unique(loaded(project)['00.jpg']['gt_seg_map'])) == {0, 1, 2}
    assert f'The class {name!r} is called' in ' '.join(project.summary())
    given = init_project(source, images, tmp_path / 'given', classes=[name, 'cat'])
    assert given.survey.classes == (name, 'cat')


def test_seeds_of_boxes_have_background_at_a_bounded_size(tmp_path):
    source, images = made_up.make_data(tmp_path, 2, annotate=made_up.boxes)
    text = source.read_text().replace('[64, 64]', '[1280, 1280]')
    source.write_text(re.sub(r'\b(16|48)\.0', lambda m: f'{20 * int(m[1])}.0', text))
    for path in images.iterdir():
        image = cv2.imread(str(path))
        large = cv2.resize(image, (1280, 1280), interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(path), large)
    project = init_project(source, images, tmp_path / 'mine')
    cfg = Config.fromfile(project.folder / 'config.py')
    assert cfg.seeds == dict(method='grabcut', boxes_complete=True, max_side=1024)
    assert 'Every object needs a box' in ' '.join(project.plan.warnings)
    seeds = SeedFolder.of_config(cfg)
    labels = seeds.maker.seeds(seeds.samples[0])
    assert labels.shape == (1280, 1280)
    assert (labels[:310] == 0).all() and labels[640, 640] == 1


@pytest.mark.parametrize('background', [True, False])
def test_propagation_knows_the_boxes(tmp_path, background):
    source, images = made_up.make_data(tmp_path, 2, annotate=made_up.boxes)
    classes = ['background', 'cat', 'dog'] if background else ['cat', 'dog']
    project = init_project(
        source, images, tmp_path / 'mine', loss='propagation', classes=classes
    )
    cfg = Config.fromfile(project.folder / 'config.py')
    losses = [loss.type for loss in cfg.model.decode_head.loss_decode]
    assert losses == ['CrossEntropyLoss', 'DenseCRFLoss', 'BoxTightnessLoss']
    SeedFolder.of_config(cfg).make(cfg.train_dataloader.dataset.label_dir)
    pipeline = [step for step in cfg.train_pipeline if step['type'] != 'LoadRegions']
    dataset = DATASETS.build({**cfg.train_dataloader.dataset, 'pipeline': pipeline})
    sample = dataset[0]['data_samples']
    extents, labels = sample.box_extents.data, sample.gt_sem_seg.data[0]
    assert extents.shape == (len(classes), *cfg.crop_size)
    tight = sample.tight_boxes.data
    assert tight.any() and not (tight & ~extents).any()
    if background:
        cat = extents[1]
        assert cat.any() and not cat[labels == 0].all()
        assert cat[labels == 1].all() and extents[0][labels != 255].all()
    else:
        assert extents[:, labels != 255].all()


def test_two_names_for_the_background_stay(tmp_path):
    source, images = made_up.make_data(tmp_path, 1)
    shapes = [Stroke('bg', [(20, 20)]), Stroke('background', [(2, 2)])]
    weak = WeakAnnotation('00.jpg', 64, 64, strokes=shapes)
    write_annotations([weak], source, 'jsonl')
    project = init_project(source, images, tmp_path / 'mine')
    assert project.survey.classes == ('background', 'bg')


def test_nothing_can_be_used(tmp_path):
    source, images = made_up.make_data(tmp_path, 1)
    boxes = [Box('cat', 1, 1, 9, 9)]
    weak = WeakAnnotation('00.jpg', 32, 32, boxes=boxes)
    write_annotations([weak], source, 'jsonl')
    with pytest.raises(ValueError, match='no image can be used; first error: 00.jpg'):
        init_project(source, images, tmp_path / 'mine')


@pytest.mark.parametrize('held_out', [False, True])
def test_lost_images_are_found_before_the_training(tmp_path, held_out):
    source, images = made_up.make_data(tmp_path)
    folder = init_project(source, images, tmp_path / 'mine').folder
    if held_out:
        (folder / 'lists' / 'train.txt').write_text('00.jpg\n')
        (folder / 'lists' / 'held_out.txt').write_text('03.jpg\n')
    check_inputs(folder)
    (images / '03.jpg').unlink()
    listed = 'held_out' if held_out else 'train'
    with pytest.raises(FileNotFoundError, match=rf'1 of .*{listed}\.txt .*03\.jpg'):
        check_inputs(folder)
    (folder / 'lists' / f'{listed}.txt').write_text('00.jpg\n01\n')
    check_inputs(folder)


def test_seeds_of_bands_see_what_the_model_sees(tmp_path):
    source, images = made_up.make_data(tmp_path, annotate=made_up.tags, suffix='.png')
    for path in images.iterdir():
        deep = cv2.imread(str(path)).astype(np.uint16) * 200
        cv2.imwrite(str(path), deep)
    project = init_project(source, images, tmp_path / 'mine')
    assert project.plan.bands == 3
    configs = (project.folder / name for name in ('config.py', 'classifier.py'))
    model, classifier = (Config.fromfile(path).model for path in configs)
    for key in ('mean', 'std', 'bgr_to_rgb'):
        assert classifier.data_preprocessor[key] == model.data_preprocessor[key]
    assert classifier.backbone.in_channels == 3
    tiny.registered()
    MODELS.build(classifier)


def test_grabcut_reads_images_of_any_bands(tmp_path):
    source, images = made_up.make_data(tmp_path, annotate=made_up.boxes, suffix='.png')
    for path in [*images.iterdir()]:
        bands = cv2.imread(str(path))[..., [2, 1, 0, 0]]
        np.save(path.with_suffix('.npy'), bands)
        path.unlink()
    source.write_text(source.read_text().replace('.png', '.npy'))
    project = init_project(source, images, tmp_path / 'mine')
    tiny.registered()
    cfg = Config.fromfile(project.folder / 'config.py')
    files = SeedFolder.of_config(cfg).make(str(tmp_path / 'seeds'))
    assert [file.error for file in files] == [None] * 4


def test_what_is_unknown_is_not_trained_as_absent(tmp_path):
    _, images = made_up.make_data(tmp_path)
    source = tmp_path / 'tags.csv'
    source.write_text('image,cat,dog\n00.jpg,1,0\n01.jpg,0,1\n02.jpg,1,-1\n')
    project = init_project(source, images, tmp_path / 'mine')
    tiny.registered()
    cfg = Config.fromfile(project.folder / 'config.py')
    options = dict(cfg.train_dataloader.dataset, label_dir=None, pipeline=[])
    dataset = DATASETS.build(options)
    samples = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [s['tags'][1:].tolist() for s in samples] == [[1, 0], [0, 1], [1, -1]]
    # Background is sure where no other class may be.
    cams = {1: np.zeros((64, 64), np.float32), 2: np.zeros((64, 64), np.float32)}
    for sample in samples:
        save_cam(tmp_path / 'cams' / f'{sample["map_name"]}.npz', cams)
    maker = SeedMaker(3, cams=str(tmp_path / 'cams'))
    assert [maker.seeds(s).max() for s in samples] == [0, 0, 3]


def test_labels_of_no_class_are_found_before_the_training(tmp_path):
    source, images = made_up.make_data(tmp_path)
    folder = init_project(source, images, tmp_path / 'mine').folder
    config = folder / 'config.py'
    config.write_text(config.read_text().replace("'dog'", "'dgo'"))
    with pytest.raises(ValueError, match=r"annotations.jsonl, 01.jpg: .*'dog'"):
        check_inputs(folder)


def test_a_config_that_is_no_python(tmp_path):
    source, images = made_up.make_data(tmp_path)
    folder = init_project(source, images, tmp_path / 'mine').folder
    config = folder / 'config.py'
    config.write_text(config.read_text().replace('max_iters = ', 'max_iters = 1O #'))
    wanted = r'config\.py, or .* no valid Python in line \d+ \(max_iters = 1O'
    with pytest.raises(ValueError, match=wanted):
        train_project(folder)
