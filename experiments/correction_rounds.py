r"""A round of labeling of VOC-animals as a person makes it: data, scores, picture.

`prepare` makes a folder as a person has it at first: images to train on and the
validation images with full masks to measure on. The full masks of the training images
are put aside for the imagined person who clicks on a few of them at first
(`mmseg-spml simulate`) and corrects predictions later
(`experiments.simulate_corrections`). docs/labeling_rounds.md has the whole round.

Example:
    python -m experiments.correction_rounds prepare data/rounds
    python -m experiments.correction_rounds scores mine rounds.json
    python -m experiments.correction_rounds picture mine data/rounds/images next \
        predicted corrected after rounds.jpg
"""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config

from mmseg_spml.annotations.class_names import class_names
from mmseg_spml.annotations.exporting import CLASSES
from mmseg_spml.annotations.formats import json_lines
from mmseg_spml.annotations.pixel_maps import DENSE_UNLABELED, DenseMap
from mmseg_spml.engine.trained_model import RUN
from mmseg_spml.io.atomic_file import atomic_file, write_json
from mmseg_spml.io.images import read_image, write_image
from mmseg_spml.projects.config_file import ANNOTATIONS
from mmseg_spml.projects.result_page import read_scalars
from mmseg_spml.projects.rounds import kept_rounds
from mmseg_spml.visualization.image_grid import image_grid
from mmseg_spml.visualization.label_maps import UNLABELED_COLOR, VOID_COLOR

CONFIG = 'experiments/configs/_base_/datasets/voc_animals.py'
_FADED = 0.65


def prepare(out: Path, pool: int, clicked: int) -> None:
    """Make the folder that a person starts with.

    Args:
        out: The folder to write: ``images/``, ``masks/`` of the validation images,
            ``masks_of_all/`` and ``masks_of_clicked/`` of training images, and
            ``classes.txt``.
        pool: The number of training images, drawn at random.
        clicked: The number of those that get clicks at first.
    """
    cfg = Config.fromfile(CONFIG)
    masks = Path(cfg.weak_root) / 'masks'
    train = (Path(cfg.weak_root) / 'train.txt').read_text().split()
    val = (Path(cfg.weak_root) / 'val.txt').read_text().split()
    names = random.Random(0).sample(sorted(train), min(pool, len(train)))
    for name in (*names, *val):
        _link(Path(cfg.images) / f'{name}.jpg', out / 'images')
    for folder, chosen in (
        ('masks', val),
        ('masks_of_all', names),
        ('masks_of_clicked', names[:clicked]),
    ):
        for name in chosen:
            _link(masks / f'{name}.png', out / folder)
    with atomic_file(out / CLASSES) as file:
        file.write(''.join(f'{name}\n' for name in cfg.metainfo['classes']).encode())
    print(f'{len(names)} images to train on and {len(val)} to measure on in {out}')


def _link(path: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / path.name
    if not link.is_symlink():
        link.symlink_to(path.resolve())


def scores(project: Path) -> list[dict]:
    """Describe the training of each round of a project.

    Returns:
        For each round ``clicked`` and ``corrected``, numbers of images, ``accepted``,
        the share of the pixels of corrected images that were left as predicted,
        ``iterations``, ``mIoU`` and ``IoU`` by class, of the last iteration.
    """
    rounds = []
    for folder in (*kept_rounds(project), project):
        labels = list(json_lines.read(folder / ANNOTATIONS))
        corrected = [one for one in labels if one.dense or one.accepted]
        drawn = sum(_labeled(one.dense) for one in corrected)
        accepted = sum(_labeled(one.accepted) for one in corrected)
        last = [line for line in read_scalars(folder / RUN) if 'mIoU' in line][-1]
        rounds.append(
            dict(
                clicked=len(labels) - len(corrected),
                corrected=len(corrected),
                accepted=round(accepted / max(drawn + accepted, 1), 3),
                iterations=last['step'],
                mIoU=last['mIoU'],
                IoU={k[4:]: v for k, v in last.items() if k.startswith('IoU/')},
            )
        )
    return rounds


def _labeled(dense: DenseMap | None) -> int:
    return 0 if dense is None else int((dense.labels != DENSE_UNLABELED).sum())


def picture(
    project: Path,
    images: Path,
    clicks: Path,
    before: Path,
    after: Path,
    most: int = 4,
) -> np.ndarray:
    """Draw suggested images through a round: clicks, prediction, correction, after.

    Args:
        project: The project, whose labels hold the corrections.
        images: The folder of the images.
        clicks: The folder of `mmseg-spml suggest`.
        before: The predictions that were corrected.
        after: The predictions of the next training.
        most: The number of images.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    classes = class_names([str(before / CLASSES)]) or []
    palette = Config.fromfile(project / 'config.py').palette
    labels = {one.image: one for one in json_lines.read(project / ANNOTATIONS)}
    rows = []
    for name in (clicks / 'images.txt').read_text().split()[:most]:
        annotation = labels[name]
        image = read_image(images / name)
        corrected = np.array(UNLABELED_COLOR, np.uint8) * np.ones_like(image)
        for dense, faded in ((annotation.accepted, _FADED), (annotation.dense, 0.0)):
            if dense is not None:
                _paint(corrected, dense, classes, palette, faded)
        row = {
            'suggested image': image,
            'prediction': read_image((before / 'overlays' / name).with_suffix('.jpg')),
            'corrected (pale: left as it was)': corrected,
            'after training again': read_image(
                (after / 'overlays' / name).with_suffix('.jpg')
            ),
        }
        rows.append([(title if not rows else '', one) for title, one in row.items()])
    return image_grid(rows, height=200, legend=(classes, palette))


def _paint(
    canvas: np.ndarray,
    dense: DenseMap,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    faded: float,
) -> None:
    """Paint the labels of a map, mixed with a share of white."""
    colors = np.full((256, 3), VOID_COLOR, np.float64)
    for value, name in enumerate(dense.classes):
        colors[value] = palette[classes.index(name)]
    values = dense.labels
    labeled = values != DENSE_UNLABELED
    canvas[labeled] = (colors[values[labeled]] * (1 - faded) + 255 * faded).round()


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest='command', required=True)
    start = commands.add_parser('prepare', help='make the folder to start with')
    start.add_argument('out', type=Path, help='folder to write')
    start.add_argument('--pool', type=int, default=300, help='training images')
    start.add_argument('--clicked', type=int, default=20, help='those with clicks')
    measured = commands.add_parser('scores', help='write the scores of all rounds')
    measured.add_argument('project', type=Path, help='folder of the project')
    measured.add_argument('out', type=Path, help='JSON file to write')
    drawn = commands.add_parser('picture', help='draw images through a round')
    drawn.add_argument('project', type=Path, help='folder of the project')
    drawn.add_argument('images', type=Path, help='folder of the images')
    drawn.add_argument('clicks', type=Path, help='folder of `mmseg-spml suggest`')
    drawn.add_argument('before', type=Path, help='predictions that were corrected')
    drawn.add_argument('after', type=Path, help='predictions of the next training')
    drawn.add_argument('out', type=Path, help='picture to write')
    return parser.parse_args()


def main() -> None:
    """Run one of the commands."""
    args = parse_args()
    if args.command == 'prepare':
        prepare(args.out, args.pool, args.clicked)
    elif args.command == 'scores':
        rounds = scores(args.project)
        write_json(args.out, rounds)
        for number, one in enumerate(rounds):
            print(number, one['clicked'], one['corrected'], one['mIoU'])
    else:
        shown = picture(args.project, args.images, args.clicks, args.before, args.after)
        write_image(args.out, shown)


if __name__ == '__main__':
    main()
