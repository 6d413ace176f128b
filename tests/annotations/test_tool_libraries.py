"""Exports are read by the libraries of the tools, which `make test-tools` installs."""

import json
import shutil

import cv2
import numpy as np
import pytest

from mmseg_spml.annotations.exporting import export_predictions
from mmseg_spml.annotations.formats import read_annotations
from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.io.index_maps import write_index_map

CLASSES = ('background', 'cat', 'dog', 'cow')
SIZE = (120, 160)
TOLERANCE = 1.5


@pytest.fixture(scope='module')
def predictions(tmp_path_factory):
    """A folder of label maps, one of images, and the maps by image."""
    folder = tmp_path_factory.mktemp('predictions')
    images = folder / 'images'
    images.mkdir()
    rng = np.random.default_rng(0)
    maps = {}
    for name in ('a', 'b'):
        noise = cv2.resize(
            rng.random((6, 8)).astype(np.float32), SIZE[::-1], interpolation=2
        )
        labels = np.digitize(noise, [0.35, 0.5, 0.7]).astype(np.uint8)
        write_index_map(str(folder / 'labels' / f'{name}.png'), labels)
        cv2.imwrite(str(images / f'{name}.jpg'), np.zeros((*SIZE, 3), np.uint8))
        maps[f'{name}.jpg'] = labels
    return folder, images, maps


def export(predictions, tmp_path, tool, **options):
    folder, images, _ = predictions
    if options.get('shapes') != 'masks':
        options['tolerance'] = TOLERANCE
    return export_predictions(
        folder,
        tmp_path / 'out',
        tool,
        images=images,
        classes=CLASSES,
        min_area=0,
        **options,
    ).path


def check(found, labels, slack):
    """Compare a map with the exported one, but for pixels near lines."""
    edges = np.zeros(labels.shape, np.uint8)
    for axis in (0, 1):
        differs = np.diff(labels.astype(int), axis=axis) != 0
        before = [slice(None)] * 2
        before[axis] = slice(None, -1)
        after = [slice(None)] * 2
        after[axis] = slice(1, None)
        edges[tuple(before)] |= differs
        edges[tuple(after)] |= differs
    far = cv2.distanceTransform(1 - edges, cv2.DIST_L2, 5) >= slack
    assert far.mean() > 0.3
    np.testing.assert_array_equal(found[far], labels[far])


def fill(canvas, points, value):
    vertices = np.round((np.array(points) - 0.5) * 256).astype(np.int32)
    cv2.fillPoly(canvas, [vertices.reshape(-1, 1, 2)], value, shift=8)


@pytest.mark.parametrize('shapes', ['polygons', 'masks'])
def test_cvat_by_datumaro(predictions, tmp_path, shapes):
    dm = pytest.importorskip('datumaro')
    path = export(predictions, tmp_path, 'cvat', shapes=shapes)
    # It looks for the images beside the file.
    shutil.copytree(predictions[1], path.parent / 'images')
    dataset = dm.Dataset.import_from(str(path), 'cvat')
    names = [label.name for label in dataset.categories()[dm.AnnotationType.label]]
    seen = 0
    for item in dataset:
        canvas = np.full(SIZE, 255, np.uint8)
        for one in sorted(item.annotations, key=lambda one: one.z_order):
            value = CLASSES.index(names[one.label])
            if shapes == 'masks':
                canvas[one.image.astype(bool)] = value
            else:
                fill(canvas, np.reshape(one.points, (-1, 2)), value)
        labels = predictions[2][f'{item.id}.jpg']
        if shapes == 'masks':
            np.testing.assert_array_equal(canvas, labels)
        check(canvas, labels, TOLERANCE + 1.5)
        seen += 1
    assert seen == 2


@pytest.mark.parametrize('shapes', ['polygons', 'masks'])
def test_label_studio_by_its_sdk(predictions, tmp_path, shapes):
    brush = pytest.importorskip('label_studio_sdk.converter.brush')
    path = export(predictions, tmp_path, 'label_studio', shapes=shapes)
    for task in json.loads(path.read_text()):
        (prediction,) = task['predictions']
        canvas = np.full(SIZE, 255, np.uint8)
        for result in prediction['result']:
            sides = result['original_height'], result['original_width']
            assert sides == SIZE
            value = CLASSES.index(result['value'][result['type']][0])
            if result['type'] == 'brushlabels':
                rgba = brush.decode_rle(result['value']['rle'])
                canvas[rgba.reshape(*SIZE, 4)[..., 3] > 0] = value
            else:
                points = np.array(result['value']['points']) / 100 * SIZE[::-1]
                fill(canvas, points, value)
        labels = predictions[2][task['data']['image'].rsplit('=')[-1]]
        if shapes == 'masks':
            np.testing.assert_array_equal(canvas, labels)
        check(canvas, labels, TOLERANCE + 1.5)


def test_label_studio_accepts_the_labeling_config(predictions, tmp_path):
    interface = pytest.importorskip('label_studio_sdk.label_interface')
    path = export(predictions, tmp_path, 'label_studio')
    choices = ''.join(f'<Label value="{name}"/>' for name in CLASSES)
    config = interface.LabelInterface(
        '<View><Image name="image" value="$image"/>'
        f'<PolygonLabels name="polygons" toName="image">{choices}</PolygonLabels>'
        '</View>'
    )
    for task in json.loads(path.read_text()):
        (prediction,) = task['predictions']
        assert config.validate_prediction(prediction)


def test_labelme_by_its_loader(predictions, tmp_path, monkeypatch):
    monkeypatch.setenv('QT_QPA_PLATFORM', 'offscreen')
    labelme = pytest.importorskip('labelme')
    path = export(predictions, tmp_path, 'labelme')
    for name, labels in predictions[2].items():
        file = labelme.LabelFile(str((path / name).with_suffix('.json')))
        assert (path / file.image_path).samefile(predictions[1] / name)
        values = {label: number for number, label in enumerate(CLASSES)}
        values['_background_'] = 0
        canvas, _ = labelme.utils.shapes_to_label(SIZE, file.shapes, values)
        check(canvas.astype(np.uint8), labels, TOLERANCE + 1.5)


@pytest.mark.parametrize('shapes', ['polygons', 'masks'])
def test_coco_by_pycocotools(predictions, tmp_path, shapes):
    coco = pytest.importorskip('pycocotools.coco')
    path = export(predictions, tmp_path, 'coco', shapes=shapes)
    dataset = coco.COCO(str(path))
    names = {one['id']: one['name'] for one in dataset.loadCats(dataset.getCatIds())}
    for image in dataset.loadImgs(dataset.getImgIds()):
        canvas = np.full(SIZE, 255, np.uint8)
        for one in dataset.loadAnns(dataset.getAnnIds(image['id'])):
            value = CLASSES.index(names[one['category_id']])
            canvas[dataset.annToMask(one) > 0] = value
        check(canvas, predictions[2][image['file_name']], TOLERANCE + 1.5)


def test_qupath_by_shapely(predictions, tmp_path):
    shapely = pytest.importorskip('shapely')
    path = export(predictions, tmp_path, 'qupath')
    rows, columns = np.indices(SIZE) + 0.5
    centers = shapely.points(columns.ravel(), rows.ravel())
    for name, labels in predictions[2].items():
        file = (path / name).with_suffix('.geojson')
        canvas = np.full(SIZE, 255, np.uint8)
        for feature in json.loads(file.read_text())['features']:
            area = shapely.from_geojson(json.dumps(feature['geometry']))
            inside = shapely.contains(area, centers).reshape(SIZE)
            name = feature['properties']['classification']['name']
            canvas[inside] = CLASSES.index(name)
        check(canvas, labels, TOLERANCE + 1.5)


def read_maps(path, tool, images):
    return {
        weak.image: label_map(weak, CLASSES)
        for weak in read_annotations(path, tool, images=images, classes=CLASSES)
    }


@pytest.mark.parametrize('shapes', ['polygons', 'masks'])
def test_what_datumaro_writes_for_cvat_is_read(predictions, tmp_path, shapes):
    dm = pytest.importorskip('datumaro')
    path = export(predictions, tmp_path, 'cvat', shapes=shapes)
    shutil.copytree(predictions[1], path.parent / 'images')
    dataset = dm.Dataset.import_from(str(path), 'cvat')
    dataset.export(str(tmp_path / 'again'), 'cvat', save_media=False)
    (again,) = (tmp_path / 'again').glob('*.xml')
    found = read_maps(again, 'cvat', predictions[1])
    assert sorted(found) == sorted(predictions[2])
    for name, labels in predictions[2].items():
        check(found[name], labels, TOLERANCE + 1.5)


def test_what_labelme_saves_is_read(predictions, tmp_path, monkeypatch):
    monkeypatch.setenv('QT_QPA_PLATFORM', 'offscreen')
    labelme = pytest.importorskip('labelme')
    path = export(predictions, tmp_path, 'labelme')
    again = tmp_path / 'again'
    again.mkdir()
    for name in predictions[2]:
        file = labelme.LabelFile(str((path / name).with_suffix('.json')))
        file.save(
            filename=str((again / name).with_suffix('.json')),
            shapes=file.shapes,
            image_path=file.image_path,
            image_height=SIZE[0],
            image_width=SIZE[1],
        )
    found = read_maps(again, 'labelme', predictions[1])
    for name, labels in predictions[2].items():
        check(found[name], labels, TOLERANCE + 1.5)


def test_brushes_of_label_studio_are_read(predictions, tmp_path):
    brush = pytest.importorskip('label_studio_sdk.converter.brush')
    path = export(predictions, tmp_path, 'label_studio', shapes='masks')
    tasks = json.loads(path.read_text())
    for task in tasks:
        (prediction,) = task.pop('predictions')
        for result in prediction['result']:
            rgba = brush.decode_rle(result['value']['rle']).reshape(*SIZE, 4)
            result['value']['rle'] = brush.mask2rle(rgba[..., 3])
        task['annotations'] = [prediction]
    path.write_text(json.dumps(tasks))
    found = read_maps(path, 'label_studio', predictions[1])
    for name, labels in predictions[2].items():
        np.testing.assert_array_equal(found[name], labels)


def test_what_datumaro_writes_for_coco_is_read(predictions, tmp_path):
    dm = pytest.importorskip('datumaro')
    path = export(predictions, tmp_path, 'coco', shapes='masks')
    (tmp_path / 'coco' / 'annotations').mkdir(parents=True)
    shutil.copy(path, tmp_path / 'coco' / 'annotations' / 'instances_default.json')
    shutil.copytree(predictions[1], tmp_path / 'coco' / 'images' / 'default')
    dataset = dm.Dataset.import_from(str(tmp_path / 'coco'), 'coco_instances')
    # By default it turns masks into polygons, which lose small parts.
    options = dict(save_media=False, segmentation_mode='mask')
    dataset.export(str(tmp_path / 'again'), 'coco_instances', **options)
    (again,) = (tmp_path / 'again').rglob('instances*.json')
    found = read_maps(again, 'coco', predictions[1])
    for name, labels in predictions[2].items():
        np.testing.assert_array_equal(found[name], labels)
