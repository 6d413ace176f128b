"""A folder like a clone of the repository with its data, all of it small.

Tools are those of the repository. So are the configs, but for the sizes of crops, test
images and batches, and for their trainings, of which the last two iterations are left.
Data and pretrained weights stand in for those that one has to get first.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from imagenet_names import imagenet_names
from integration import tiny
from integration.demo_recipe import demo_recipe
from mmengine.config import Config
from mmseg.registry import MODELS

from mmseg_spml.annotations.formats import write_annotations
from mmseg_spml.annotations.model import Stroke, WeakAnnotation
from mmseg_spml.io.index_maps import write_index_map

SIDE = 64
IMAGES = 6
# Weak labels of the authors' lists, below VOC2012/.
VOC_LISTS = {
    'scribble_train+_d3_hed': 'scribble/dilate_3',
    'seam_train+_a6_th0.2_hed': 'cam/seam_a6_th0.2',
    'panoptic_val': 'segcls',
    'train': 'segcls',
    'val': 'segcls',
}


def make_checkout(root: Path) -> None:
    """Fill an empty folder."""
    ignored = shutil.ignore_patterns('results', 'configs', '__pycache__')
    for folder in ('tools', 'experiments', 'benchmarks'):
        shutil.copytree(tiny.ROOT / folder, root / folder, ignore=ignored)
    shutil.copy(tiny.ROOT / 'Makefile', root)
    folders = 'docs', 'experiments/results', 'benchmarks/results', 'pretrained'
    for folder in folders:
        (root / folder).mkdir()
    _write_configs(root)
    _write_weights(root)
    _write_voc(root / 'data' / 'voc')
    _write_ccp(root / 'data' / 'ccp')
    _write_camvid(root / 'data' / 'camvid')
    _write_cats_and_dogs(root)
    tiny.python(
        root, '-m', 'experiments.demo.make_data', 'data/demo', '--train', 8, '--val', 2
    )


def _write_configs(root: Path) -> None:
    shutil.copy(
        tiny.ROOT / 'tests/integration/last_iterations.py', root / 'last_iterations.py'
    )
    for configs in ('configs', 'experiments/configs'):
        for path in sorted((tiny.ROOT / configs).rglob('*.py')):
            target = root / path.relative_to(tiny.ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            kind = path.relative_to(tiny.ROOT / configs).parts[0]
            if kind in ('_base_', 'recipes', 'ablations'):
                shutil.copy(path, target)
                continue
            cfg = Config.fromfile(path)
            _shrink(cfg)
            cfg.dump(target)
    recipe = root / 'experiments/configs/recipes/demo.py'
    recipe.write_text(demo_recipe(train=8, val=2))


def _shrink(cfg: Config) -> None:
    """Small crops, test images and batches, no processes for loading, a short end."""
    _cap(cfg._cfg_dict)
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
    cfg.total_batch_size = 2
    cfg.train_dataloader.batch_size = 2
    cfg.custom_imports.imports.append('last_iterations')
    cfg.default_hooks.last_iterations = dict(type='LastIterations')


def _cap(node: Any) -> None:
    """No side above SIDE."""
    if isinstance(node, dict):
        for name in ('size', 'crop_size', 'stride', 'scale'):
            value = node.get(name)
            if isinstance(value, (tuple, list)) and all(
                isinstance(side, int) for side in value
            ):
                node[name] = tuple(min(side, SIDE) for side in value)
    if isinstance(node, (dict, list, tuple)):
        for value in node.values() if isinstance(node, dict) else node:
            _cap(value)


def _write_weights(root: Path) -> None:
    """Random weights in the files that the configs of VOC start from."""
    tiny.registered()
    torch.manual_seed(0)
    for path in sorted((tiny.ROOT / 'configs').glob('[!_r]*/*_voc*.py')):
        backbone = dict(Config.fromfile(path).model.backbone)
        init = backbone.pop('init_cfg', None) or {}
        file = root / init.get('checkpoint', '')
        if file.parent.name != 'pretrained' or file.exists():
            continue
        state = MODELS.build(backbone).state_dict()
        prefix = init.get('prefix', '').rstrip('.')
        if prefix:
            state = {f'{prefix}.{name}': tensor for name, tensor in state.items()}
        torch.save(dict(state_dict=state), file)
    state = torch.load(root / 'pretrained/resnet101_cuhk_mmseg.pth')['state_dict']
    torch.save(imagenet_names(state), root / 'resnet-101-cuhk.pth')


def _scene(number: int, labels: Sequence[int]) -> dict[str, np.ndarray]:
    """Stripes of classes on the first of them: image, mask, weak labels, regions."""
    random = np.random.default_rng(number)
    mask = np.full((SIDE, SIDE), labels[0], np.uint8)
    width = SIDE // len(labels)
    for place, label in enumerate(labels[1:]):
        mask[8:-8, place * width : (place + 1) * width - 1] = label
    colors = np.random.default_rng(0).integers(0, 200, (256, 3))
    image = colors[mask] + random.integers(0, 50, (SIDE, SIDE, 3))
    marked = random.random(mask.shape) < 0.2
    return dict(
        image=image.astype(np.uint8),
        mask=mask,
        marked=marked,
        regions=mask.astype(np.uint16) + 256,
    )


def _write_image(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def _write_voc(root: Path) -> None:
    tags, names = {}, [f'2007_{number:06d}' for number in range(IMAGES)]
    for number, name in enumerate(names):
        labels = [0, *(1 + (number + step) % 20 for step in (0, 1, 2))]
        scene = _scene(number, labels)
        voc = root / 'VOC2012'
        _write_image(voc / f'JPEGImages/{name}.jpg', scene['image'])
        write_index_map(str(voc / f'segcls/{name}.png'), scene['mask'])
        write_index_map(str(voc / f'hed/{name}.png'), scene['regions'])
        weak = np.where(scene['marked'], scene['mask'], 21)
        for folder in ('scribble/dilate_3', 'cam/seam_a6_th0.2'):
            write_index_map(str(voc / folder / f'{name}.png'), weak)
        tags[name] = np.isin(np.arange(1, 21), labels).astype(np.float32)
    (root / 'lists').mkdir()
    for file, labels in VOC_LISTS.items():
        lines = [
            f'VOC2012/JPEGImages/{name}.jpg VOC2012/{labels}/{name}.png '
            f'VOC2012/hed/{name}.png'
            for name in names
        ]
        (root / f'lists/{file}.txt').write_text('\n'.join(lines) + '\n')
    (root / 'lists/train_aug.txt').write_text('\n'.join(names) + '\n')
    np.save(root / 'lists/cls_labels.npy', tags)


def _classes_of_study(name: str) -> Sequence[str]:
    config = tiny.ROOT / f'experiments/configs/_base_/datasets/{name}.py'
    return Config.fromfile(config).train_dataloader.dataset.metainfo.classes


def _write_ccp(root: Path) -> None:
    """Skin, hair and footwear on all photographs, the others on every other one."""
    names = [f'{number:04d}' for number in range(IMAGES)]
    tags = {}
    for number, name in enumerate(names):
        labels = [
            label
            for label in range(10)
            if label in (0, 1, 2, 8) or (number + label) % 2
        ]
        scene = _scene(number, labels)
        _write_image(root / f'images/{name}.jpg', scene['image'])
        if number < 4:
            write_index_map(str(root / f'masks/{name}.png'), scene['mask'])
        else:
            tags[name] = labels
    for file, part in (
        ('train_masks', names[:3]),
        ('val', names[3:4]),
        ('train_tags', names[4:]),
    ):
        (root / f'{file}.txt').write_text('\n'.join(part) + '\n')
    classes = _classes_of_study('ccp')
    (root / 'tags.json').write_text(json.dumps(dict(classes=classes, tags=tags)))


def _write_camvid(root: Path) -> None:
    classes = _classes_of_study('camvid')
    for number in range(IMAGES):
        split = 'train' if number < 4 else 'val'
        scene = _scene(number, range(len(classes)))
        _write_image(root / f'images/{split}/{number:04d}.jpg', scene['image'])
        mask = root / f'masks/{split}/{number:04d}.png'
        write_index_map(str(mask), scene['mask'])
    (root / 'classes.json').write_text(json.dumps(dict(classes=classes)))


def _write_cats_and_dogs(root: Path) -> None:
    """What annotation tools leave: strokes of CVAT, a table of tags, the images."""
    strokes, rows = [], []
    for number in range(4):
        name = f'{number}.jpg'
        _write_image(root / 'images' / name, _scene(number, range(3))['image'])
        if number > 1:
            continue  # an image that nobody has labeled yet
        shapes = [
            Stroke(label, [(5.0, 9.0 + 9 * row), (40.0, 9.0 + 9 * row)], 3)
            for row, label in enumerate(('background', 'cat', 'dog'))
        ]
        strokes.append(WeakAnnotation(name, SIDE, SIDE, strokes=shapes))
        rows.append(f'{name},1,1')
    write_annotations(strokes, root / 'cvat.xml', 'cvat')
    write_annotations(strokes, root / 'labels', 'labelme')
    (root / 'tags.csv').write_text('\n'.join(['image,cat,dog', *rows]) + '\n')
    shutil.copy(root / 'images/0.jpg', root / 'image.jpg')
