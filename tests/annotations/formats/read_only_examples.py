"""Files of tools whose formats are only read, for the images a.jpg and b.jpg."""

import base64
import io
import json
import zlib

import numpy as np
from PIL import Image

from mmseg_spml.annotations.run_length import encode_mask

SIZE = (20, 30)
RECTANGLE = np.zeros(SIZE, bool)
RECTANGLE[3:9, 4:12] = True


def datumaro(folder):
    """Write a file of Datumaro with an annotation of each type."""
    numbered = dict(id=0, attributes={}, group=0, z_order=0, label_id=0)
    annotations = [
        dict(numbered, type='label'),
        dict(numbered, type='bbox', bbox=[2, 3, 13, 9]),
        dict(numbered, type='polygon', points=[1, 1, 9, 1, 9, 8, 1, 1], z_order=2),
        dict(numbered, type='polyline', points=[1.5, 1.5, 9.5, 7.5], label_id=1),
        dict(numbered, type='points', points=[4.5, 6.5, 1, 1], visibility=[2, 1]),
        dict(
            numbered,
            type='mask',
            rle=dict(counts=encode_mask(RECTANGLE), size=list(SIZE)),
            z_order=1,
            label_id=1,
        ),
        dict(numbered, type='ellipse', points=[10, 5, 16, 15]),
        dict(
            numbered,
            type='skeleton',
            elements=[dict(type='points', points=[7, 8], visibility=[2])],
        ),
        dict(numbered, type='caption', caption='a cat'),
    ]
    content = dict(
        info={},
        categories=dict(label=dict(labels=[{'name': 'cat'}, {'name': 'dog'}])),
        items=[
            dict(
                id=name,
                annotations=annotations,
                image=dict(path=f'{name}.jpg', size=list(SIZE)),
            )
            for name in 'ab'
        ],
    )
    path = folder / 'default.json'
    path.write_text(json.dumps(content))
    return path


def bitmap(mask):
    """Encode a mask as Supervisely does, with an alpha channel."""
    pixels = np.zeros((*mask.shape, 4), np.uint8)
    pixels[..., 3] = 255 * mask
    return compressed_png(Image.fromarray(pixels))


def compressed_png(picture):
    """Encode a picture as Supervisely does."""
    stream = io.BytesIO()
    picture.save(stream, format='PNG')
    return base64.b64encode(zlib.compress(stream.getvalue())).decode()


def supervisely(folder):
    """Write a project of Supervisely with an object of each type."""

    def thing(kind, *exterior, interior=(), label='cat'):
        points = dict(exterior=exterior, interior=interior)
        return dict(classTitle=label, geometryType=kind, points=points, tags=[])

    objects = [
        thing('rectangle', (2, 3), (14, 11)),
        thing('polygon', (1, 1), (9, 1), (9, 8), interior=[[(6, 2), (8, 2), (8, 4)]]),
        thing('line', (1, 1), (9, 7), label='dog'),
        thing('point', (4, 6)),
        dict(
            classTitle='dog',
            geometryType='bitmap',
            bitmap=dict(data=bitmap(RECTANGLE[3:9, 4:12]), origin=[4, 3]),
        ),
    ]
    ann = folder / 'project/ds/ann'
    ann.mkdir(parents=True)
    (folder / 'project/meta.json').write_text('{"classes": []}')
    for name in 'ab':
        content = dict(
            description='',
            tags=[{'name': 'cat'}, {'name': 'train'}],
            size=dict(height=SIZE[0], width=SIZE[1]),
            objects=objects,
        )
        (ann / f'{name}.jpg.json').write_text(json.dumps(content))
    return folder / 'project'


def labelme_xml(folder):
    """Write files of MIT's LabelMe with an object of each type."""

    def thing(name, *path, more=''):
        points = ''.join(f'<pt><x>{x}</x><y>{y}</y></pt>' for x, y in path)
        polygon = f'<polygon><username>me</username>{points}</polygon>'
        return f'<object><name>{name}\n</name>{more}{polygon}</object>'

    objects = [
        thing('cat', (1, 1), (9, 1), (9, 8), more='<deleted>0</deleted>'),
        thing('cat', (0, 0), (5, 0), (5, 5), more='<deleted>1</deleted>'),
        thing('dog', (2, 3), (15, 3), (15, 12), (2, 12),
              more='<type>bounding_box</type>'),
        thing('dog', (1.5, 1.5), (9.5, 7.5)),
        thing('cat', (4.5, 6.5)),
    ]  # fmt: skip
    size = f'<imagesize><nrows>{SIZE[0]}</nrows><ncols>{SIZE[1]}</ncols></imagesize>'
    (folder / 'xml').mkdir()
    for name in 'ab':
        (folder / f'xml/{name}.xml').write_text(
            f'<annotation><filename>{name}.jpg</filename><folder>any</folder>'
            f'{"".join(objects)}{size}</annotation>'
        )
    return folder / 'xml'


def coco_panoptic(folder):
    """Write a panoptic file of COCO with two segments and void pixels."""
    ids = np.full(SIZE, 66_051)  # 3 + 2 * 256 + 1 * 65536
    ids[RECTANGLE] = 7
    ids[0] = 0
    colors = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1)
    (folder / 'panoptic').mkdir()
    for name in 'ab':
        Image.fromarray(colors.astype(np.uint8)).save(folder / f'panoptic/{name}.png')
    segments = [dict(id=66_051, category_id=90), dict(id=7, category_id=1)]
    content = dict(
        images=[
            dict(id=n, file_name=f'{name}.jpg', height=SIZE[0], width=SIZE[1])
            for n, name in enumerate('ab')
        ],
        annotations=[
            dict(image_id=n, file_name=f'{name}.png', segments_info=segments)
            for n, name in enumerate('ab')
        ],
        categories=[dict(id=1, name='cat'), dict(id=90, name='background')],
    )
    path = folder / 'panoptic.json'
    path.write_text(json.dumps(content))
    return path
