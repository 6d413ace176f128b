"""Exports of predictions to annotation tools, read back by the package."""

import json
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from cli.commands import run_command

from mmseg_spml.annotations.corrections import with_accepted
from mmseg_spml.annotations.exporting import TOOLS, export_predictions
from mmseg_spml.annotations.formats import json_lines, read_annotations
from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.io.index_maps import read_index_map, write_index_map

CLASSES = ('background', 'cat', 'dog')


@pytest.fixture
def predictions(tmp_path):
    """A folder as `mmseg-spml predict` writes it, and one of the images."""
    folder, images = tmp_path / 'predicted', tmp_path / 'images'
    rows = ['image,width,height,mean_entropy,mean_margin']
    rng = np.random.default_rng(0)
    for number, name in enumerate(('a.jpg', 'sub/b.png')):
        noise = rng.random((4, 5)).astype(np.float32)
        noise = cv2.resize(noise, (50, 40), interpolation=cv2.INTER_CUBIC)
        labels = np.digitize(noise, [0.4, 0.6]).astype(np.uint8)
        path = (folder / 'labels' / name).with_suffix('.png')
        write_index_map(str(path), labels)
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(images / name), np.zeros((40, 50, 3), np.uint8))
        rows.append(f'{name},50,40,0.3,0.{number + 6}')
    (folder / 'predictions.csv').write_text('\n'.join(rows) + '\n')
    (folder / 'classes.txt').write_text('\n'.join(CLASSES) + '\n')
    return folder, images


def confirmed(path):
    """Turn the predictions of Label Studio into annotations, as accepting does."""
    tasks = json.loads(path.read_text())
    for task in tasks:
        task['annotations'] = task.pop('predictions')
    path.write_text(json.dumps(tasks))


@pytest.mark.parametrize('tool', sorted(TOOLS))
@pytest.mark.parametrize('shapes', ['polygons', 'masks'])
def test_round_trip(predictions, tmp_path, tool, shapes):
    folder, images = predictions
    if (tool, shapes) == ('qupath', 'masks'):
        with pytest.raises(ValueError, match='qupath knows no masks'):
            export_predictions(folder, tmp_path / 'out', tool, shapes=shapes)
        return
    exact = dict(tolerance=0) if shapes == 'polygons' else {}
    export = export_predictions(
        folder,
        tmp_path / 'out',
        tool,
        images=images,
        shapes=shapes,
        min_area=0,
        **exact,
    )
    assert export.images == 2 and export.shapes >= 6 and not export.errors
    assert export.left_out == 0
    if tool == 'label_studio':
        confirmed(export.path)
    found = list(read_annotations(export.path, tool, images=images, classes=CLASSES))
    assert [weak.image for weak in found] == ['a.jpg', 'sub/b.png']
    for weak, exported in zip(found, json_lines.read(tmp_path / 'out/exported.jsonl')):
        path = (folder / 'labels' / weak.image).with_suffix('.png')
        labels = read_index_map(path)
        np.testing.assert_array_equal(label_map(weak, CLASSES), labels)
        known = with_accepted(weak, exported)
        assert known.dense is None and known.accepted is not None
        np.testing.assert_array_equal(label_map(known, CLASSES), labels)


def test_names_that_end_with_a_blank(predictions, tmp_path):
    folder, _ = predictions
    (folder / 'classes.txt').write_text('background\ncat \ncat\n')
    export = export_predictions(folder, tmp_path / 'out', 'cvat')
    root = ElementTree.parse(export.path).getroot()
    assert {'cat', 'cat '} <= {one.get('label') for one in root.iter('polygon')}


def test_what_tools_are_told(predictions, tmp_path):
    folder, _ = predictions
    export = export_predictions(folder, tmp_path / 'cvat', 'cvat')
    root = ElementTree.parse(export.path).getroot()
    assert {one.get('source') for one in root.iter('polygon')} == {'auto'}
    export = export_predictions(folder, tmp_path / 'ls', 'label_studio')
    tasks = json.loads(export.path.read_text())
    assert [task['predictions'][0]['score'] for task in tasks] == [0.6, 0.7]
    assert all('annotations' not in task for task in tasks)


def test_predictions_that_nobody_has_confirmed(predictions, tmp_path):
    folder, images = predictions
    export = export_predictions(folder, tmp_path / 'out', 'label_studio')
    with pytest.raises(ValueError, match='nobody has confirmed: accept them'):
        list(read_annotations(export.path, images=images))


def test_command(predictions, tmp_path, capsys):
    folder, images = predictions
    only = tmp_path / 'only.txt'
    only.write_text('sub/b.png\n')
    out = tmp_path / 'out'
    with pytest.raises(SystemExit, match='say where they are, --images'):
        run_command('export', folder, out, '--to', 'labelme')
    command = ('export', folder, out, '--to', 'labelme', '--images', images)
    run_command(*command, '--only', only, '--without', 'background')
    printed = capsys.readouterr().out
    assert ' polygons of 1 images in ' in printed and 'exported.jsonl' in printed
    assert [path.name for path in out.rglob('*.json')] == ['b.json']
    (weak,) = json_lines.read(out / 'exported.jsonl')
    assert 'background' not in weak.shown()
    with pytest.raises(SystemExit, match='has files, perhaps corrections'):
        run_command(*command)
    with pytest.raises(SystemExit, match='--tolerance is of polygons'):
        run_command(*command, '--as', 'masks', '--tolerance', 1)
    only.write_text('c.jpg\n')
    with pytest.raises(SystemExit, match='1 images have no prediction, such as c.jpg'):
        run_command('export', folder, tmp_path / 'x', '--to', 'cvat', '--only', only)


def test_wrong_options(predictions, tmp_path):
    folder, images = predictions
    options = dict(images=images, classes=CLASSES)
    with pytest.raises(ValueError, match=r"\['backgrond'\] are none of the classes"):
        export_predictions(folder, tmp_path / 'x', 'cvat', without=['backgrond'])
    with pytest.raises(ValueError, match='tolerance must be 0 or more, got -1'):
        export_predictions(folder, tmp_path / 'x', 'cvat', tolerance=-1)
    with pytest.raises(ValueError, match='leave --classes out'):
        export_predictions(folder, tmp_path / 'x', 'cvat', classes=CLASSES[::-1])
    (folder / 'classes.txt').unlink()
    with pytest.raises(ValueError, match='has the id 2, but there are 2 classes'):
        export_predictions(folder, tmp_path / 'x', 'cvat', classes=CLASSES[:2])
    table = folder / 'predictions.csv'
    for text in ('image,score\na.jpg,1\n', 'image,mean_margin\n../a.jpg,1\n'):
        table.write_text(text)
        with pytest.raises(ValueError, match='is no table of `mmseg-spml predict`'):
            export_predictions(folder, tmp_path / 'x', 'cvat', **options)
    assert not (tmp_path / 'x').exists()


def test_maps_of_other_origin(predictions, tmp_path, capsys):
    folder, images = predictions
    (folder / 'predictions.csv').unlink()
    (folder / 'classes.txt').unlink()
    out = tmp_path / 'out'
    command = ['export', folder / 'labels', out, '--to', 'cvat']
    with pytest.raises(SystemExit, match='name the classes in the order of their ids'):
        run_command(*command)
    command += ['--classes', *CLASSES]
    with pytest.raises(SystemExit, match='say by --images which images'):
        run_command(*command)
    (folder / 'labels' / 'a.png').write_text('no map')
    with pytest.raises(SystemExit) as end:
        run_command(*command, '--images', images)
    printed = capsys.readouterr()
    assert end.value.code == 1 and 'a.jpg: ' in printed.err
    assert 'of 1 images' in printed.out


def test_label_maps_that_the_table_lacks_are_named(predictions, tmp_path):
    folder, _ = predictions
    table = folder / 'predictions.csv'
    table.write_text('\n'.join(table.read_text().splitlines()[:2]) + '\n')
    export = export_predictions(folder, tmp_path / 'out', 'cvat')
    assert export.images == 1
    ((name, problem),) = export.errors
    assert name == 'sub/b.png' and 'has no row in predictions.csv' in problem
    only = export_predictions(folder, tmp_path / 'some', 'cvat', only=['a.jpg'])
    assert not only.errors
