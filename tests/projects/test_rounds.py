"""Rounds of labeling: new labels of a project, and what training makes of them."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli.commands import run_command
from integration import tiny
from mmengine.config import Config
from mmseg.registry import DATASETS
from projects import made_up
from projects.test_project import shorten

from mmseg_spml.annotations.exporting import EXPORTED
from mmseg_spml.annotations.formats import json_lines, write_annotations
from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.model import Point, Polygon, Stroke, WeakAnnotation
from mmseg_spml.projects.project import init_project
from mmseg_spml.projects.rounds import (
    add_labels,
    begin_round,
    kept_rounds,
    labels_in,
)
from mmseg_spml.projects.training import project_stages
from mmseg_spml.recipes.manifest import stage_key
from mmseg_spml.recipes.stages import Recipe

SIDE = made_up.SIDE


def rectangle(label, x0, y0, x1, y1):
    return Polygon(label, [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)]])


def predicted(name, label='cat'):
    """Outlines of the background and a square, as exported."""
    areas = [
        rectangle('background', 0, 0, SIDE, SIDE),
        rectangle(label, 16, 16, 48, 48),
    ]
    return WeakAnnotation(name, SIDE, SIDE, polygons=areas)


@pytest.fixture
def project(tmp_path):
    """A project on two of four images, and the folder of the images."""
    source, images = made_up.make_data(tmp_path)
    first = list(json_lines.read(source))[:2]
    json_lines.write(first, source)
    init_project(source, images, tmp_path / 'mine', classes=made_up.CLASSES)
    return tmp_path / 'mine'


def labels_of(project):
    return {one.image: one for one in json_lines.read(project / 'annotations.jsonl')}


def correct(folder, annotations, exported):
    """Write a folder of corrections for CVAT."""
    write_annotations(annotations, folder / 'annotations.xml', 'cvat')
    json_lines.write(exported, folder / EXPORTED)


def test_corrections_join_the_labels(project, tmp_path):
    background, cat = predicted('00.jpg').polygons
    dog = replace(cat, label='dog')
    correct(
        tmp_path / 'corrected',
        [
            replace(predicted('00.jpg'), polygons=[background, dog]),
            predicted('02.jpg'),
        ],
        [predicted('00.jpg'), predicted('02.jpg')],
    )
    before = labels_of(project)
    new = add_labels(project, tmp_path / 'corrected')
    assert (new.added, new.changed, new.corrected) == (['02.jpg'], ['00.jpg'], 2)
    text = new.summary()
    assert '1 images are new, the labels of 1 have changed' in text
    share = (2 * SIDE**2 - 32**2) / (2 * SIDE**2)
    assert f'{100 * share:.0f} % were left as they were' in text
    labels = labels_of(project)
    changed = labels['00.jpg']
    cat, background = before['00.jpg'].strokes
    assert changed.strokes == [background]  # that of the cat is now on a dog
    assert changed.dense.shown() == {'dog'}
    assert changed.accepted.shown() == {'background'}
    assert labels['01.jpg'] == before['01.jpg']
    assert labels['02.jpg'].dense is None
    train = (project / 'lists' / 'train.txt').read_text().split()
    assert train == ['00.jpg', '01.jpg', '02.jpg']
    again = add_labels(project, tmp_path / 'corrected')
    assert not again.added and not again.changed
    assert labels_of(project) == labels


def test_the_same_corrections_change_nothing_twice(tmp_path):
    """Also where the project has classes that the image does not show."""
    source, images = made_up.make_data(tmp_path)
    mine = tmp_path / 'mine'
    init_project(source, images, mine, classes=('background', 'ant', 'cat', 'dog'))
    background, cat = predicted('00.jpg').polygons
    areas = [background, replace(cat, label='dog')]
    correct(
        tmp_path / 'corrected',
        [replace(predicted('00.jpg'), polygons=areas)],
        [predicted('00.jpg')],
    )
    assert add_labels(mine, tmp_path / 'corrected').changed == ['00.jpg']
    assert add_labels(mine, tmp_path / 'corrected').changed == []


def test_dense_sparse_and_accepted_labels_train_together(project, tmp_path):
    correct(tmp_path / 'corrected', [predicted('02.jpg')], [predicted('02.jpg')])
    add_labels(project, tmp_path / 'corrected')
    tiny.registered()
    cfg = Config.fromfile(project / 'config.py')
    steps = [s for s in cfg.train_pipeline if s.type.startswith('Load')][:2]
    dataset = DATASETS.build({**cfg.train_dataloader.dataset, 'pipeline': steps})
    np.random.seed(0)
    shares = []
    for _ in range(200):
        labels = dataset[2]['gt_seg_map']
        shares.append([(labels == 0).any(), (labels == 1).any()])
    # Each accepted area is a label in half of the draws.
    assert np.abs(np.mean(shares, axis=0) - 0.5).max() < 0.12
    assert (dataset[0]['gt_seg_map'] == 1).any()


def test_labels_without_an_export_replace_those_of_their_images(project, tmp_path):
    source = tmp_path / 'new.jsonl'
    json_lines.write(
        [made_up.points('00.jpg', 'dog'), made_up.points('03.jpg', 'dog')], source
    )
    new = add_labels(project, source)
    assert (new.added, new.changed, new.corrected) == (['03.jpg'], ['00.jpg'], 0)
    assert labels_of(project)['00.jpg'] == made_up.points('00.jpg', 'dog')


def test_bad_entries_do_not_stop_the_others(project, tmp_path):
    source = tmp_path / 'new.jsonl'
    wrong = [made_up.points('00.jpg', 'horse'), made_up.points('no.jpg', 'dog')]
    json_lines.write([*wrong, made_up.points('03.jpg', 'dog')], source)
    new = add_labels(project, source)
    assert new.added == ['03.jpg'] and len(new.problems.found) == 2
    json_lines.write(wrong, source)
    with pytest.raises(
        ValueError, match="no label can be used; first problem.*'horse'"
    ):
        add_labels(project, source)


def test_a_class_that_the_project_does_not_know_is_named(project, tmp_path):
    folder = tmp_path / 'corrected'
    correct(folder, [made_up.points('02.jpg', 'hrose')], [predicted('02.jpg')])
    with pytest.raises(ValueError, match="no label can be used; first .*'hrose'"):
        add_labels(project, folder)


def test_what_a_person_drew_before_stays(project, tmp_path):
    drawn = WeakAnnotation(
        '00.jpg', SIDE, SIDE, polygons=[rectangle('dog', 0, 0, 9, 9)]
    )
    source = tmp_path / 'drawn.jsonl'
    json_lines.write([drawn], source)
    add_labels(project, source)
    correct(tmp_path / 'corrected', [predicted('00.jpg')], [predicted('00.jpg')])
    add_labels(project, tmp_path / 'corrected')
    found = labels_of(project)['00.jpg']
    labels = label_map(found, made_up.CLASSES, priority=('dense',), background=None)
    assert (labels[:9, :9] == 2).all() and (labels == 2).sum() == 81
    accepted = label_map(found, made_up.CLASSES, priority=('accepted',))
    assert (accepted[:9, :9] == 3).all() and (accepted[20:40, 20:40] == 1).all()


def test_labels_that_are_no_answer_to_an_export(project, tmp_path):
    folder = tmp_path / 'corrected'
    correct(folder, [predicted('02.jpg')], [predicted('03.jpg')])
    with pytest.raises(ValueError, match='has no image of .*exported.jsonl'):
        add_labels(project, folder)
    # An export in the folder above is another one.
    correct(folder / 'second', [predicted('02.jpg')], [predicted('02.jpg')])
    assert add_labels(project, folder / 'second').accepted == SIDE**2


def test_parts_wrong_sizes_and_images_without_labels(project, tmp_path):
    source = tmp_path / 'new.jsonl'
    before = labels_of(project)
    parts = [made_up.points('02.jpg', 'cat'), made_up.strokes('02.jpg', 'dog')]
    small = WeakAnnotation(
        '03.jpg', 9, 9, points=made_up.points('03.jpg', 'cat').points
    )
    json_lines.write([*parts, small, WeakAnnotation('00.jpg', SIDE, SIDE)], source)
    new = add_labels(project, source)
    assert new.added == ['02.jpg'] and new.empty == 1
    assert '1 images without a label are left out' in new.summary()
    assert 'is 64x64 (height x width), its annotation 9x9' in str(new.problems.found[0])
    labels = labels_of(project)
    assert labels['00.jpg'] == before['00.jpg']
    assert labels['02.jpg'].points and labels['02.jpg'].strokes


def test_images_with_tags_alone_get_labels(tmp_path):
    source, images = made_up.make_data(tmp_path, 6, annotate=made_up.mixed)
    mine = tmp_path / 'mine'
    init_project(source, images, mine)
    names = [f'{index:02d}.jpg' for index in range(6)]

    def label(chosen):
        json_lines.write([made_up.points(one, 'cat') for one in chosen], source)
        return add_labels(mine, source)

    new = label(names[1:3])
    assert (new.labeled, new.unlabeled) == (3, 3)
    assert 'labeled_share' not in new.summary()
    new = label(names[3:5])
    assert (new.labeled, new.unlabeled) == (5, 1)
    assert 'Only 1 of 6 images have no labeled pixels' in new.summary()
    assert 'remove labeled_share and SplitBatchNormHook' in new.summary()
    before = labels_of(mine)
    with pytest.raises(ValueError, match='remove labeled_share'):
        label(names[5:])
    assert labels_of(mine) == before
    config = mine / 'config.py'
    config.write_text(config.read_text().replace(', labeled_share=2 / 3', ''))
    assert label(names[5:]).unlabeled is None


def test_images_that_a_user_took_out_stay_out(project, tmp_path):
    train = project / 'lists' / 'train.txt'
    train.write_text('00.jpg')
    source = tmp_path / 'new.jsonl'
    json_lines.write([made_up.points('02.jpg', 'cat')], source)
    add_labels(project, source)
    assert train.read_text().split() == ['00.jpg', '02.jpg']


def test_images_with_masks_stay_held_out(tmp_path):
    source, images = made_up.make_data(tmp_path)
    masks = tmp_path / 'masks'
    masks.mkdir()
    cv2.imwrite(str(masks / '03.png'), np.zeros((SIDE, SIDE), np.uint8))
    mine = tmp_path / 'mine'
    init_project(source, images, mine, classes=made_up.CLASSES, masks=masks)
    new = tmp_path / 'new.jsonl'
    json_lines.write([made_up.points('03.jpg', 'dog')], new)
    add_labels(mine, new)
    assert '03.jpg' not in (mine / 'lists' / 'train.txt').read_text()


def test_rounds_by_number(project):
    for number in ('02', '10', '100', 'notes'):
        run = project / 'rounds' / number / 'run'
        run.mkdir(parents=True)
        (run / 'last_checkpoint').write_text('iter_2.pth')
    names = [path.name for path in kept_rounds(project)]
    assert names == ['02', '10', '100']
    (project / 'run').mkdir()
    (project / 'run' / 'last_checkpoint').write_text('iter_2.pth')
    assert begin_round(project).name == '101'


def test_held_out_images_stay_held_out(tmp_path):
    source, images = made_up.make_data(tmp_path, 24)
    init_project(source, images, tmp_path / 'mine', classes=made_up.CLASSES)
    held_out = (tmp_path / 'mine/lists/held_out.txt').read_text().split()
    train = (tmp_path / 'mine/lists/train.txt').read_text()
    new = tmp_path / 'new.jsonl'
    json_lines.write([made_up.points(held_out[0], 'dog')], new)
    assert add_labels(tmp_path / 'mine', new).changed == held_out[:1]
    assert (tmp_path / 'mine/lists/train.txt').read_text() == train


def test_what_labels_are_found(tmp_path):
    with pytest.raises(FileNotFoundError, match='no file or folder of labels'):
        labels_in(tmp_path / 'x')
    folder = tmp_path / 'corrected'
    correct(folder, [predicted('00.jpg')], [predicted('00.jpg')])
    assert labels_in(folder) == folder / 'annotations.xml'
    (folder / 'more.xml').write_text('<annotations/>')
    with pytest.raises(ValueError, match='has annotations.xml, more.xml, of which one'):
        labels_in(folder)
    assert labels_in(folder / 'annotations.xml') == folder / 'annotations.xml'
    labelme = tmp_path / 'labelme'
    write_annotations([predicted('00.jpg')], labelme, 'labelme')
    json_lines.write([predicted('00.jpg')], labelme / EXPORTED)
    assert labels_in(labelme) == labelme


def test_other_folders(tmp_path):
    source, images = made_up.make_data(tmp_path, annotate=made_up.boxes)
    with pytest.raises(FileNotFoundError, match='is no project'):
        add_labels(tmp_path, source)
    init_project(source, images, tmp_path / 'mine')
    with pytest.raises(ValueError, match='learns from seeds of boxes or tags'):
        add_labels(tmp_path / 'mine', source)


def test_a_config_of_another_place(project, tmp_path):
    config = project / 'config.py'
    text = config.read_text().replace('{{ fileDirname }}', str(tmp_path / 'other'))
    config.write_text(text)
    json_lines.write([made_up.strokes('02.jpg', 'cat')], tmp_path / 'new.jsonl')
    with pytest.raises(ValueError, match='reads .*other.* as after a copy or a move'):
        add_labels(project, tmp_path / 'new.jsonl')


def test_the_lists_of_images_are_read_by_the_training(project):
    recipe = Recipe('mine', project, project_stages(project))
    before = stage_key(recipe, recipe.stages[0], {})
    (project / 'lists/train.txt').write_text('00.jpg\n')
    assert stage_key(recipe, recipe.stages[0], {}) != before


@pytest.mark.parametrize('annotate', [made_up.boxes, made_up.tags])
def test_all_stages_read_the_annotations(tmp_path, annotate):
    source, images = made_up.make_data(tmp_path, annotate=annotate)
    mine = tmp_path / 'mine'
    init_project(source, images, mine)
    recipe = Recipe('mine', mine, project_stages(mine))
    labels = mine / 'annotations.jsonl'
    for stage in recipe.stages:
        if stage.name != 'samples':
            assert str(labels) in stage.inputs and str(mine / 'lists') in stage.inputs


def test_the_next_round_starts_from_the_last_one_in_any_folder(project, tmp_path):
    spaced = tmp_path / 'my, [project'
    project.rename(spaced)
    run = spaced / 'rounds/01/run'
    run.mkdir(parents=True)
    (run / 'last_checkpoint').write_text('iter_2.pth')
    (run / 'iter_2.pth').touch()
    stages = project_stages(spaced)
    recipe = Recipe('spaced', spaced, stages)
    command = [recipe.filled(argument, stages[0]) for argument in stages[0].args]
    assert command[command.index('--load-from') + 1] == str(run / 'iter_2.pth')


@pytest.mark.slow
def test_two_rounds_of_training(project, tmp_path, capsys, monkeypatch):
    shorten(project / 'config.py')
    run_command('train', project)
    assert not kept_rounds(project)
    correct(tmp_path / 'corrected', [predicted('02.jpg')], [predicted('02.jpg')])
    run_command('train', project, '--labels', tmp_path / 'corrected')
    printed = capsys.readouterr().out
    assert '1 images are new' in printed
    (kept,) = kept_rounds(project)
    start = Config.fromfile(project / 'run' / 'config.py').load_from
    assert start == str(kept / 'run' / 'iter_2.pth')
    assert 'Rounds of labeling' in (project / 'result.html').read_text()
    run_command('train', project, '--labels', tmp_path / 'corrected')
    assert len(kept_rounds(project)) == 1
    manifest = json.loads((project / 'manifest.json').read_text())
    assert manifest['run']['state'] == 'done'


def test_an_interrupted_change_is_made_again(project, tmp_path, monkeypatch):
    (project / 'run').mkdir()
    (project / 'run' / 'last_checkpoint').write_text('iter_2.pth')
    correct(tmp_path / 'corrected', [predicted('02.jpg')], [predicted('02.jpg')])

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr('mmseg_spml.projects.rounds.json_lines.write', killed)
        with pytest.raises(KeyboardInterrupt):
            add_labels(project, tmp_path / 'corrected')
    assert add_labels(project, tmp_path / 'corrected').added == ['02.jpg']
    assert len(kept_rounds(project)) == 1 and '02.jpg' in labels_of(project)
    train = (project / 'lists' / 'train.txt').read_text().split()
    assert train == ['00.jpg', '01.jpg', '02.jpg']


def test_the_key_of_a_stage_is_that_of_a_moved_project(project, tmp_path, monkeypatch):
    def key(folder):
        stage = project_stages(folder)[0]
        return stage_key(Recipe('project', folder, (stage,)), stage, {})

    first = key(project)
    monkeypatch.chdir(project)
    assert key(Path('.')) == first
    (tmp_path / 'link').symlink_to(project)
    assert key(tmp_path / 'link') == first
    project.rename(tmp_path / 'moved')
    assert key(tmp_path / 'moved') == first


@pytest.mark.parametrize('new', ['points', 'strokes'])
def test_new_marks_go_before_earlier_ones(project, tmp_path, new):
    before = WeakAnnotation(
        '00.jpg', SIDE, SIDE, points=[Point('dog', 5, 5), Point('dog', 16.5, 5)]
    )
    source = tmp_path / 'marks.jsonl'
    json_lines.write([before], source)
    add_labels(project, source)
    marks = dict(points=[Point('cat', 5, 5)], strokes=[Stroke('cat', [(2, 5), (8, 5)])])
    answer = replace(predicted('00.jpg'), **{new: marks[new]})
    correct(tmp_path / 'corrected', [answer], [predicted('00.jpg')])
    add_labels(project, tmp_path / 'corrected')
    found = labels_of(project)['00.jpg']
    assert label_map(found, made_up.CLASSES, background=None)[5, 5] == 1
    assert Point('dog', 16.5, 5) in found.points  # near it, but not on it


def test_marks_give_way_to_what_is_drawn_on_them(project, tmp_path):
    """A wrong click can be corrected in a later round; the rest of a stroke stays."""
    before = WeakAnnotation(
        '00.jpg',
        SIDE,
        SIDE,
        points=[Point('cat', 30, 30), Point('dog', 31, 31), Point('cat', 60, 60)],
        strokes=[Stroke('cat', [(4.0, 20.0), (60.0, 20.0)], 3)],
    )
    source = tmp_path / 'marks.jsonl'
    json_lines.write([before], source)
    add_labels(project, source)
    background, cat = predicted('00.jpg').polygons
    dog = replace(predicted('00.jpg'), polygons=[background, replace(cat, label='dog')])
    correct(tmp_path / 'corrected', [dog], [predicted('00.jpg')])
    add_labels(project, tmp_path / 'corrected')
    found = labels_of(project)['00.jpg']
    assert found.points == before.points[1:] and not found.strokes
    labels = label_map(found, made_up.CLASSES, background=None)
    assert (labels[16:48, 16:48] == 2).all()
    assert (labels[20, 4:16] == 1).all() and (labels[20, 48:60] == 1).all()
