"""Exports as tools write them that other readers refuse or misread."""

import json

import numpy as np
import pytest
from PIL import Image

from mmseg_spml.annotations.formats import read_annotations
from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.model import AnnotationError, Box, Point
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.functional import polygon_mask

CLASSES = ('background', 'road', 'car')


def read(path, format=None, **options):
    return list(read_annotations(path, format, **options))


# ------------------------------------------------------------------------ CVAT


def cvat(folder, *shapes):
    image = f'<image name="a.jpg" width="8" height="6">{"".join(shapes)}</image>'
    (folder / 'a.xml').write_text(f'<annotations>{image}</annotations>')
    (annotation,) = read(folder / 'a.xml')
    return label_map(annotation, CLASSES)


ROAD = ('<mask label="road" rle="0, 48" left="0" top="0" width="8" height="6" '
        'z_order="{}"/>')  # fmt: skip
CAR = '<polygon label="car" points="2,2;6,2;6,5;2,5" z_order="{}"/>'


@pytest.mark.parametrize('order', [(0, 1), (1, 0)])
@pytest.mark.parametrize('road_first', [True, False])
def test_z_order_holds_across_kinds_of_areas(tmp_path, order, road_first):
    road, car = ROAD.format(order[0]), CAR.format(order[1])
    labels = cvat(tmp_path, *((road, car) if road_first else (car, road)))
    car_on_top = order[1] > order[0]
    assert (labels == 2).sum() == 12 * car_on_top
    assert (labels == 1).sum() == 48 - 12 * car_on_top


def test_a_chain_of_areas_keeps_its_order(tmp_path):
    small = '<polygon label="road" points="3,3;5,3;5,4;3,4" z_order="2"/>'
    labels = cvat(tmp_path, small, ROAD.format(0), CAR.format(1))
    assert (labels == 2).sum() == 10 and (labels == 1).sum() == 38


def test_a_skeleton_is_clicks_on_its_class(tmp_path):
    skeleton = (
        '<skeleton label="car"><points label="nose" outside="0" points="1.0,2.0"/>'
        '<points label="tail" outside="1" points="3.0,3.0"/>'
        '<points label="ear" points="5.5,4.5"/></skeleton>'
    )
    image = f'<image name="a.jpg" width="8" height="6">{skeleton}</image>'
    (tmp_path / 'a.xml').write_text(f'<annotations>{image}</annotations>')
    (annotation,) = read(tmp_path / 'a.xml')
    assert annotation.points == [Point('car', 1, 2), Point('car', 5.5, 4.5)]


SIZE_OF_TASK = (
    '<meta><task><original_size><width>8</width><height>6</height></original_size>'
    '</task></meta>'
)


def track(folder, *shapes, meta=SIZE_OF_TASK):
    content = f'{meta}<track id="0" label="car">{"".join(shapes)}</track>'
    (folder / 'a.xml').write_text(f'<annotations>{content}</annotations>')
    return folder / 'a.xml'


def tracked(frame, **flags):
    flags = dict(dict(keyframe=1, outside=0), **flags)
    words = ' '.join(f'{name}="{value}"' for name, value in flags.items())
    corners = 'xtl="1" ytl="1" xbr="3" ybr="3"'
    return f'<box frame="{frame}" {words} {corners}/>'


def test_tracks_count_at_their_key_frames(tmp_path):
    file = track(
        tmp_path,
        tracked(2),
        tracked(3, keyframe=0),
        tracked(12),
        tracked(13, outside=1),
    )
    found = read(file)
    assert [one.image for one in found] == ['frame_000002.PNG', 'frame_000012.PNG']
    assert all(one.boxes == [Box('car', 1, 1, 3, 3)] for one in found)
    assert found[0].size == (6, 8)
    problems = Problems(skip=True)
    (tmp_path / 'images').mkdir()
    Image.new('L', (8, 6)).save(tmp_path / 'images/frame_000012.jpg')
    (only,) = read(file, images=tmp_path / 'images', problems=problems)
    assert only.image == 'frame_000012.jpg' and len(problems.found) == 1


@pytest.mark.parametrize('level', ['<job>{}</job>', '<job/>{}', '<task>{}</task>'])
def test_the_size_of_frames_of_tasks_and_jobs(tmp_path, level):
    size = '<original_size><width>8</width><height>6</height></original_size>'
    meta = f'<meta>{level.format(size)}</meta>'
    (found,) = read(track(tmp_path, tracked(2), meta=meta))
    assert found.size == (6, 8)


def test_the_size_of_frames_that_only_images_tell(tmp_path):
    Image.new('L', (8, 6)).save(tmp_path / 'frame_000002.jpg')
    file = track(tmp_path, tracked(2), meta='<meta><task/></meta>')
    (found,) = read(file, images=tmp_path)
    assert (found.image, found.size) == ('frame_000002.jpg', (6, 8))
    project = SIZE_OF_TASK.replace('task>', 'project>')
    with pytest.raises(AnnotationError, match='export each task or job'):
        read(track(tmp_path, tracked(2), meta=project), images=tmp_path)


def test_malformed_tracks(tmp_path):
    with pytest.raises(AnnotationError, match='original_size'):
        read(track(tmp_path, tracked(2), meta=''))
    with pytest.raises(AnnotationError, match='number of its frame'):
        read(track(tmp_path, tracked('x')))
    with pytest.raises(AnnotationError, match=r"track \(element 0.*'label'"):
        (tmp_path / 'b.xml').write_text('<annotations><track/></annotations>')
        read(tmp_path / 'b.xml', format='cvat')


# ---------------------------------------------------------------- Label Studio


def task(*results, data=None, **annotation):
    size = dict(original_width=64, original_height=48)
    results = [dict(size, **result) for result in results]
    return dict(
        data=data or dict(image='a.jpg'),
        annotations=[dict(result=results, **annotation)],
    )


def label_studio(folder, *tasks):
    (folder / 'x.json').write_text(json.dumps(tasks))
    return read(folder / 'x.json', format='label_studio')


AT = dict(x=25, y=25, width=50, height=50)
RECTANGLE = dict(type='rectanglelabels', value=dict(AT, rectanglelabels=['cat']))
BOX = Box('cat', 16, 12, 48, 36)


def test_an_ellipse(tmp_path):
    value = dict(x=50, y=50, radiusX=25, radiusY=12.5, ellipselabels=['cat'])
    for rotation in (0, 90):
        value['rotation'] = rotation
        (annotation,) = label_studio(
            tmp_path, task(dict(type='ellipselabels', value=value))
        )
        rows, columns = np.mgrid[:48, :64] + 0.5
        x, y = columns - 32, rows - 24
        if rotation:
            x, y = y, -x
        inside = (x / 16) ** 2 + (y / 6) ** 2 < 1
        found = polygon_mask((48, 64), annotation.polygons[0].rings)
        assert (found != inside).sum() <= 4


def test_shapes_and_labels_of_separate_controls(tmp_path):
    shape = dict(id='r', type='rectangle', value=AT)
    label = dict(id='r', type='labels', value=dict(AT, labels=['cat']))
    for results in ((shape, label), (label, shape)):
        (annotation,) = label_studio(tmp_path, task(*results))
        assert annotation.boxes == [BOX]
    with pytest.raises(AnnotationError, match=r"result\[0\]: .*'rectangle'"):
        label_studio(tmp_path, task(shape))
    with pytest.raises(AnnotationError, match="type 'labels'"):
        label_studio(tmp_path, task(dict(label, id='other'), shape | dict(id='other2')))


def test_places_of_results_are_those_of_the_file(tmp_path):
    shape = dict(id='r', type='rectangle', value=AT)
    label = dict(id='r', type='labels', value=dict(AT, labels=['cat']))
    bad = dict(type='polygonlabels', value=dict(points=[], polygonlabels=['cat']))
    with pytest.raises(AnnotationError, match=r'result\[2\]'):
        label_studio(tmp_path, task(shape, label, bad))
    with pytest.raises(AnnotationError, match=r'result\[0\]'):
        label_studio(tmp_path, task(shape, {**label, 'value': 7}))


def test_the_ground_truth_among_several_annotations(tmp_path):
    one = task(RECTANGLE)
    other = dict(one['annotations'][0], ground_truth=True)
    other['result'] = []
    one['annotations'].insert(0, other)
    one['annotations'][0]['result'] = one['annotations'][1]['result']
    one['annotations'][1] = dict(result=[])
    (annotation,) = label_studio(tmp_path, one)
    assert annotation.boxes == [BOX]
    one['annotations'][1]['ground_truth'] = True
    with pytest.raises(AnnotationError, match='2 annotations of one image'):
        label_studio(tmp_path, one)


def test_an_image_under_another_key(tmp_path):
    data = dict(photo='/data/upload/1/a.JPG', source='camera 3')
    (annotation,) = label_studio(tmp_path, task(RECTANGLE, data=data))
    assert annotation.image == 'a.JPG'
    with pytest.raises(AnnotationError, match='several images'):
        label_studio(tmp_path, task(RECTANGLE, data=dict(a='a.png', b='b.png')))
    with pytest.raises(AnnotationError, match='address of one image'):
        label_studio(tmp_path, task(RECTANGLE, data=dict(a='a', b='b')))


def test_predictions_alone_are_no_empty_success(tmp_path):
    one = task(RECTANGLE)
    one['predictions'] = one.pop('annotations')
    one['annotations'] = []
    with pytest.raises(AnnotationError, match='1 have predictions'):
        label_studio(tmp_path, one)
    assert len(label_studio(tmp_path, one, task(RECTANGLE))) == 1
    assert label_studio(tmp_path, {**one, 'predictions': []}) == []


# ---------------------------------------------------------------------- QuPath


def test_unclassified_annotations(tmp_path):
    def feature(**properties):
        geometry = dict(type='Point', coordinates=[1, 2])
        properties = dict(properties, objectType='annotation')
        return dict(type='Feature', geometry=geometry, properties=properties)

    features = [
        feature(classification=dict(name='cat')),
        feature(name='dog'),
        feature(),
    ]
    Image.new('L', (8, 6)).save(tmp_path / 'a.jpg')
    file = tmp_path / 'a.geojson'
    file.write_text(json.dumps(features))
    (annotation,) = read(file, images=tmp_path, unclassified='skip')
    assert [point.label for point in annotation.points] == ['cat']
    with pytest.raises(AnnotationError, match=r'features\[1\].*--unclassified skip'):
        read(file, images=tmp_path)
    with pytest.raises(AnnotationError, match=r'features\[2\].*no class'):
        read(file, images=tmp_path, unclassified='name')
    file.write_text(json.dumps(features[:2]))
    (annotation,) = read(file, images=tmp_path, unclassified='name')
    assert sorted(point.label for point in annotation.points) == ['cat', 'dog']


def test_children_of_an_annotation_that_is_left_out(tmp_path):
    def feature(**more):
        geometry = dict(type='Point', coordinates=[1, 2])
        properties = dict(more, objectType='annotation')
        return dict(type='Feature', geometry=geometry, properties=properties)

    child = feature(classification=dict(name='cat'))
    Image.new('L', (8, 6)).save(tmp_path / 'a.jpg')
    file = tmp_path / 'a.geojson'
    file.write_text(json.dumps(feature(childObjects=[child])))
    problems = Problems(skip=True)
    (annotation,) = read(file, images=tmp_path, problems=problems)
    assert [point.label for point in annotation.points] == ['cat']
    assert len(problems.found) == 1


def test_options_of_other_formats_are_refused(tmp_path):
    cvat(tmp_path)
    with pytest.raises(AnnotationError, match='cvat has no --unclassified, --values'):
        read(tmp_path / 'a.xml', unclassified='skip', values={255: 'cat'})
    assert read(tmp_path / 'a.xml', unclassified=None, values=None, mask_suffix='')


@pytest.mark.parametrize('name', ['/data/x/a.jpg', '../x/a.jpg', 'D:\\x\\a.jpg'])
def test_paths_of_another_machine_in_coco(tmp_path, name):
    image = dict(id=1, file_name=name, width=8, height=6)
    document = dict(images=[image], categories=[], annotations=[])
    (tmp_path / 'x.json').write_text(json.dumps(document))
    with pytest.raises(AnnotationError, match='leads out'):
        read(tmp_path / 'x.json')
    with pytest.raises(AnnotationError, match='there is no image .*a.jpg'):
        read(tmp_path / 'x.json', images=tmp_path)
    Image.new('L', (8, 6)).save(tmp_path / 'a.jpg')
    (annotation,) = read(tmp_path / 'x.json', images=tmp_path)
    assert annotation.image == 'a.jpg'
    # The longest end of the path that is there.
    (tmp_path / 'x').mkdir()
    Image.new('L', (8, 6)).save(tmp_path / 'x/a.jpg')
    (annotation,) = read(tmp_path / 'x.json', images=tmp_path)
    assert annotation.image == 'x/a.jpg'


def test_two_images_of_one_name_in_coco(tmp_path):
    Image.new('L', (8, 6)).save(tmp_path / 'a.jpg')
    images = [
        dict(id=i, file_name=f'/{folder}/a.jpg', width=8, height=6)
        for i, folder in enumerate(('train', 'val'))
    ]
    document = dict(images=images, categories=[], annotations=[])
    (tmp_path / 'x.json').write_text(json.dumps(document))
    with pytest.raises(AnnotationError, match=r"images\[1\]: .*'a.jpg', and so is"):
        read(tmp_path / 'x.json', images=tmp_path)


def test_a_relative_name_is_not_looked_up_elsewhere(tmp_path):
    Image.new('L', (8, 6)).save(tmp_path / 'a.jpg')
    file = tmp_path / 'x.xml'
    size = SIZE.format(8, 6)
    text = f'<annotation><filename>train/a.jpg</filename>{size}</annotation>'
    file.write_text(text)
    with pytest.raises(AnnotationError, match='no image'):
        read(file, 'voc_xml', images=tmp_path)
    Image.new('L', (8, 6)).save(tmp_path / 'a.png')
    file.write_text(text.replace('train/a.jpg', 'a'))
    with pytest.raises(AnnotationError, match='may be any of'):
        read(file, 'voc_xml', images=tmp_path)


# ------------------------------------------------------------------ PASCAL VOC


SIZE = '<size><width>{}</width><height>{}</height><depth>3</depth></size>'
OBJECT = (
    '<object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>4</xmax>'
    '<ymax>3</ymax></bndbox></object>'
)


@pytest.mark.parametrize(
    'name, size',
    [
        ('a', SIZE.format(8, 6)),
        ('a.jpg', ''),
        ('a.jpg', SIZE.format(0, 0)),
        ('/home/someone/images/a.jpg', SIZE.format(8, 6)),
        ('C:\\pictures\\a.jpg', SIZE.format(8, 6)),
        ('../other/a.jpg', SIZE.format(8, 6)),
    ],
)
def test_names_and_sizes_are_looked_up(tmp_path, name, size):
    Image.new('L', (8, 6)).save(tmp_path / 'a.jpg')
    file = tmp_path / 'x.xml'
    text = f'<annotation><filename>{name}</filename>{size}{OBJECT}</annotation>'
    file.write_text(text)
    (annotation,) = read(file, images=tmp_path)
    assert (annotation.image, annotation.size) == ('a.jpg', (6, 8))
    assert annotation.boxes == [Box('cat', 0, 0, 4, 3)]
    (tmp_path / 'a.jpg').unlink()
    with pytest.raises(AnnotationError, match='x.xml, filename: there is no image'):
        read(file, images=tmp_path)


def test_a_file_outside_of_the_images_is_never_read(tmp_path):
    (tmp_path / 'images').mkdir()
    Image.new('L', (8, 6)).save(tmp_path / 'a.jpg')
    file = tmp_path / 'x.xml'
    file.write_text(f'<annotation><filename>../a.jpg</filename>{OBJECT}</annotation>')
    with pytest.raises(AnnotationError, match='leads out|there is no image'):
        read(file, images=tmp_path / 'images')


def test_a_missing_size_needs_the_images(tmp_path):
    file = tmp_path / 'x.xml'
    file.write_text(
        f'<annotation><filename>a.jpg</filename>{OBJECT}<size/></annotation>'
    )
    with pytest.raises(AnnotationError):
        read(file)
    text = file.read_text().replace('<size/>', SIZE.format(0, 0))
    file.write_text(text)
    with pytest.raises(AnnotationError, match='states no size.*--images'):
        read(file)
