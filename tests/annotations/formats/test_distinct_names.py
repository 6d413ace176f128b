"""Different images of one name in a source do not become one image."""

import json
import shutil

import cv2
import numpy as np
import pytest

from mmseg_spml.annotations.formats import read_annotations
from mmseg_spml.annotations.model import AnnotationError

VOC = (
    '<annotation><filename>1.jpg</filename><size><width>40</width><height>30</height>'
    '<depth>3</depth></size><object><name>{}</name><bndbox><xmin>1</xmin><ymin>1</ymin>'
    '<xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>'
)
IMAGE = '<image id="{0}" name="a.png" subset="{1}" width="4" height="3"/>'


def test_files_of_two_folders(tmp_path):
    for folder, label in (('train', 'cat'), ('val', 'dog')):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / '1.xml').write_text(VOC.format(label))
    with pytest.raises(AnnotationError, match="is another image called '1.jpg'"):
        list(read_annotations(tmp_path))


def test_subsets_of_a_project_of_cvat(tmp_path):
    images = IMAGE.format(0, 'Train') + IMAGE.format(1, 'Val')
    file = tmp_path / 'annotations.xml'
    file.write_text(f'<annotations><version>1.1</version>{images}</annotations>')
    with pytest.raises(AnnotationError, match="is another image called 'a.png'"):
        list(read_annotations(file, 'cvat'))


def test_local_files_of_two_folders_in_via(tmp_path):
    entries = {
        f'a.jpg{size}': dict(
            filename='a.jpg', size=size, regions=[], file_attributes={}
        )
        for size in (100, 200)
    }
    cv2.imwrite(str(tmp_path / 'a.jpg'), np.zeros((4, 6, 3), np.uint8))
    file = tmp_path / 'via.json'
    file.write_text(json.dumps(entries))
    with pytest.raises(AnnotationError, match="is another image called 'a.jpg'"):
        list(read_annotations(file, 'via', images=tmp_path))


def test_items_of_two_folders_in_datumaro(tmp_path):
    items = [
        dict(id=f'{folder}/a', annotations=[], image=dict(path=f'/{folder}/a.jpg'))
        for folder in ('s1', 's2')
    ]
    for item in items:
        item['image']['size'] = [4, 6]
    cv2.imwrite(str(tmp_path / 'a.jpg'), np.zeros((4, 6, 3), np.uint8))
    file = tmp_path / 'default.json'
    content = dict(info={}, categories=dict(label=dict(labels=[])), items=items)
    file.write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match="is another image called 'a.jpg'"):
        list(read_annotations(file, 'datumaro', images=tmp_path))


@pytest.fixture
def roboflow(tmp_path):
    """The folders of a YOLO export of Roboflow, with equal names in two splits."""
    for split, number in (('train', 0), ('valid', 1)):
        for folder in ('images', 'labels'):
            (tmp_path / split / folder).mkdir(parents=True)
        image = np.zeros((30, 40, 3), np.uint8)
        cv2.imwrite(str(tmp_path / split / 'images' / '1.jpg'), image)
        (tmp_path / split / 'labels' / '1.txt').write_text(f'{number} .5 .5 .2 .2\n')
    (tmp_path / 'data.yaml').write_text('names: [cat, dog]\n')
    return tmp_path


def test_splits_of_yolo(roboflow):
    with pytest.raises(AnnotationError, match="is another image called '1.jpg'"):
        list(read_annotations(roboflow, 'yolo'))
    found = list(read_annotations(roboflow, 'yolo', images=roboflow))
    assert [(one.image, one.boxes[0].label) for one in found] == [
        ('train/images/1.jpg', 'cat'),
        ('valid/images/1.jpg', 'dog'),
    ]


def test_yolo_with_the_split_below_the_labels(roboflow):
    """The layout of Ultralytics: images/train for labels/train, and lists."""
    for split in ('train', 'valid'):
        for folder in ('images', 'labels'):
            target = roboflow / 'all' / folder / split
            shutil.copytree(roboflow / split / folder, target)
    shutil.copy(roboflow / 'data.yaml', roboflow / 'all')
    (roboflow / 'all' / 'train.txt').write_text('./images/train/1.jpg\n')
    for images in (roboflow / 'all', roboflow / 'all' / 'images'):
        found = list(read_annotations(roboflow / 'all', 'yolo', images=images))
        names = [one.image.removeprefix('images/') for one in found]
        assert names == ['train/1.jpg', 'valid/1.jpg']
