"""Rounds of labeling: new labels for a project, and its next training."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.config import Config

from mmseg_spml.annotations.class_names import as_background
from mmseg_spml.annotations.corrections import with_accepted
from mmseg_spml.annotations.exporting import EXPORTED
from mmseg_spml.annotations.formats import (
    detect_format,
    json_lines,
    read_annotations,
)
from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.label_map import (
    has_label_map,
    known_tags,
)
from mmseg_spml.annotations.merge import merge_by_image
from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import DENSE_UNLABELED
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.renaming import renamed_classes
from mmseg_spml.annotations.text_files import read_names
from mmseg_spml.engine.shipped_files import read_config_file
from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.io.progress import watched
from mmseg_spml.io.run_folders import RUN
from mmseg_spml.projects.config_file import ANNOTATIONS, CONFIG
from mmseg_spml.projects.earlier_labels import with_earlier_labels
from mmseg_spml.projects.survey import BACKGROUND, labels_pixels, says_anything

ROUNDS = 'rounds'
# How to stop mixing images with and without labeled pixels.
_UNMIX = (
    'remove labeled_share and SplitBatchNormHook from config.py, and divide '
    'total_batch_size by 1.5'
)
_RESULTS = ('samples', 'result.html', f'{RUN}.log')


@dataclass
class NewLabels:
    """What new labels changed in a project.

    Attributes:
        source: The file or folder that was read.
        added: The names of images that had no labels before.
        changed: The names of images whose labels are different now.
        corrected: How many images are exported predictions, changed or not.
        drawn: The number of pixels of areas that a person drew on these.
        accepted: The number of pixels that were left as they were predicted.
        empty: The number of images of which nothing is said, which were left out.
        unlabeled: The number of training images without labeled pixels, of which the
            config takes a share in each batch; None if it takes none.
        labeled: The number of the other training images.
        problems: Malformed entries, and images that cannot be used; these were left
            out.
    """

    source: Path
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    corrected: int = 0
    drawn: int = 0
    accepted: int = 0
    empty: int = 0
    unlabeled: int | None = None
    labeled: int = 0
    problems: Problems = field(default_factory=lambda: Problems(skip=True))

    def summary(self) -> str:
        """Describe the change in a sentence or two."""
        text = (
            f'{self.source}: {len(self.added)} images are new, the labels of '
            f'{len(self.changed)} have changed'
        )
        if self.corrected:
            total = max(self.drawn + self.accepted, 1)
            text += (
                f'; of the areas of {self.corrected} exported predictions, '
                f'{100 * self.accepted / total:.0f} % were left as they were'
            )
        if self.empty:
            text += f'; {self.empty} images without a label are left out'
        if self.unlabeled is not None and self.unlabeled < self.labeled:
            total = self.labeled + self.unlabeled
            text += (
                f'. Only {self.unlabeled} of {total} images have no labeled pixels, '
                f'but they fill a part of each batch: {_UNMIX}'
            )
        return text


def labels_in(folder: Path) -> Path:
    """Return the file or folder of annotations in a folder of corrections.

    Raises:
        FileNotFoundError: There is nothing.
        ValueError: There are several files.
    """
    if not folder.exists():
        raise FileNotFoundError(f'there is no file or folder of labels {folder}')
    if folder.is_file():
        return folder
    files = [
        path
        for path in sorted(folder.iterdir())
        if path.name != EXPORTED and not path.name.startswith('.')
    ]
    single = [path for path in files if path.is_file()]
    if len(files) == 1 and single:
        # One file of labelme or QuPath is read as their folder is, to know the image.
        return folder if _is_folder_format(folder) else single[0]
    if _is_folder_format(folder):
        return folder
    named = ', '.join(path.name for path in files[:5]) or 'nothing'
    raise ValueError(
        f'{folder} has {named}, of which one must be meant: give the file of the '
        f'annotation tool, such as --labels {folder / (files[0].name if files else "")}'
    )


def _is_folder_format(folder: Path) -> bool:
    try:
        return detect_format(folder) is not None
    except AnnotationError:
        return False


def add_labels(
    folder: str | Path, source: str | Path, *, format: str | None = None
) -> NewLabels:
    """Join labels from an annotation tool with those of a project.

    The labels of an image replace those that the project has of it. Where they are
    exported predictions (``exported.jsonl`` lies beside them), the labels of the
    project stay where nothing new was drawn, and areas that were left as they were
    predicted become ``accepted``. Images that get their first labels are trained on,
    too; images that are held out stay so.

    Args:
        folder: The folder of the project, which is not written if nothing changes.
        source: What the tool wrote, or a folder of ``mmseg-spml export``.
        format: The name of the format; detected if None.

    Raises:
        FileNotFoundError: The folder is no project, or there are no labels.
        ValueError: The project does not learn from labeled pixels, or its config needs
            images without them and none is left.
        AnnotationError: No image can be used, or none is of the export.
    """
    folder = Path(folder)
    path = labels_in(Path(source))
    cfg = _config(folder)
    labels = {a.image: a for a in json_lines.read(folder / ANNOTATIONS)}
    new = NewLabels(path)
    place = Path(source) if Path(source).is_dir() else Path(source).parent
    exported = {}
    if (place / EXPORTED).is_file():
        exported = {a.image: a for a in json_lines.read(place / EXPORTED)}
    classes = tuple(cfg.classes)
    found = read_annotations(
        path, format, images=cfg.images, classes=classes, problems=new.problems
    )
    train = _listed(Path(cfg.lists) / 'train.txt')
    # In older projects the list of images with masks has no suffixes.
    known_names = {*train, *_listed(Path(cfg.lists) / 'held_out.txt')}
    unseen: list[str] = []
    read = watched(list(found), 'reading labels')
    for annotation in merge_by_image(read, new.problems, path):
        with new.problems.leaving_out(file=path, place=annotation.image):
            known = exported.get(annotation.image)
            if known is None and not says_anything(annotation):
                new.empty += 1
                continue
            updated = _checked(annotation, classes, Path(cfg.images))
            before = labels.get(annotation.image)
            if known is not None:
                corrected = with_accepted(updated, _renamed(known, classes), classes)
                updated = with_earlier_labels(corrected, before, classes)
                new.corrected += 1
                new.drawn += _pixels(corrected, 'dense')
                new.accepted += _pixels(corrected, 'accepted')
            if before is None:
                new.added.append(annotation.image)
            elif before != updated:
                new.changed.append(annotation.image)
            if labels_pixels(updated) and not (before and labels_pixels(before)):
                unseen.append(annotation.image)
            labels[annotation.image] = updated
    if exported and not new.corrected and not new.problems.found:
        raise AnnotationError(
            f'has no image of {place / EXPORTED}, so that nobody knows what was '
            'predicted: are these the labels of another export?',
            file=path,
        )
    if not (new.added or new.changed) and new.problems.found:
        raise AnnotationError(
            f'no label can be used; first problem: {new.problems.found[0]}', file=path
        )
    if new.added or new.changed:
        names = [n for n in unseen if not {n, n.rsplit('.', 1)[0]} & known_names]
        _count_kinds(new, cfg, labels, {*train, *names})
        begin_round(folder)
        with atomic_file(Path(cfg.lists) / 'train.txt') as file:
            file.write(''.join(f'{name}\n' for name in [*train, *names]).encode())
        # They come last: after an interruption, the same labels are still new.
        json_lines.write(labels.values(), folder / ANNOTATIONS)
    return new


def _count_kinds(
    new: NewLabels, cfg: Config, labels: dict[str, WeakAnnotation], train: set[str]
) -> None:
    """Count images with and without labeled pixels if the config mixes both.

    Raises:
        ValueError: None without labeled pixels is left, so that training would fail.
    """
    if cfg.train_dataloader.get('sampler', {}).get('labeled_share') is None:
        return
    new.labeled = sum(has_label_map(labels[name]) for name in train & {*labels})
    new.unlabeled = len(train) - new.labeled
    if not new.unlabeled:
        raise ValueError(
            'with these labels all training images have labeled pixels, but the config '
            f'mixes them with others: {_UNMIX}. Then call this again'
        )


def begin_round(folder: Path) -> Path | None:
    """Keep the labels and the results of a project, so that the next training starts.

    Args:
        folder: The folder of the project.

    Returns:
        The folder ``rounds/NUMBER`` that keeps them; None if the project has not been
        trained, so that there is nothing to keep.
    """
    if not (folder / RUN / 'last_checkpoint').is_file():
        return None
    # A folder of this number without a run is of a call that was interrupted.
    number = max((int(path.name) for path in kept_rounds(folder)), default=0) + 1
    kept = folder / ROUNDS / f'{number:02d}'
    kept.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / ANNOTATIONS, kept)
    # The run comes last: without it the round counts as not kept.
    for name in (*_RESULTS, RUN):
        if (folder / name).exists():
            os.replace(folder / name, kept / name)
    return kept


def kept_rounds(folder: Path) -> list[Path]:
    """List the folders of the rounds that were trained before, the first one first."""
    found = [path for path in (folder / ROUNDS).glob('*') if path.name.isdigit()]
    kept = [path for path in found if (path / RUN / 'last_checkpoint').is_file()]
    return sorted(kept, key=lambda path: int(path.name))


def _config(folder: Path) -> Config:
    """Read the config of a project that learns from its own labels."""
    path = folder / CONFIG
    if not path.is_file():
        raise FileNotFoundError(f'{folder} is no project: it has no {CONFIG}')
    cfg = read_config_file(path)
    missing = [name for name in ('classes', 'images', 'lists') if name not in cfg]
    if missing or not (folder / ANNOTATIONS).is_file():
        raise FileNotFoundError(
            f'{folder} was not written by this version of `mmseg-spml init`: it lacks '
            f'{", ".join([*missing, ANNOTATIONS])}. Write a new project'
        )
    read = Path(cfg.get('annotations', folder / ANNOTATIONS))
    if read.resolve() != (folder / ANNOTATIONS).resolve():
        raise ValueError(
            f'{path} reads {read}, not the annotations of its own folder, as after a '
            f'copy or a move: set annotations and lists to those of {folder} first'
        )
    if cfg.train_dataloader.dataset.get('label_dir'):
        raise ValueError(
            f'{folder} learns from seeds of boxes or tags, not from labeled pixels. '
            'Join the labels by `mmseg-spml convert`, and make a project of them by '
            '`mmseg-spml init`'
        )
    return cfg


def _listed(path: Path) -> list[str]:
    return read_names(path) if path.is_file() else []


def _checked(
    annotation: WeakAnnotation, classes: Sequence[str], images: Path
) -> WeakAnnotation:
    """Check that training can use an annotation, and name its background."""
    annotation = _renamed(annotation, classes)
    if not (images / annotation.image).is_file():
        raise AnnotationError(f'is not in {images}', place=annotation.image)
    size = image_size(images, annotation.image)
    if size != annotation.size:
        raise AnnotationError(
            f'is {size[0]}x{size[1]} (height x width), its annotation '
            f'{annotation.height}x{annotation.width}',
            place=annotation.image,
        )
    known_tags(annotation, classes, BACKGROUND if BACKGROUND in classes else None)
    return annotation


def _renamed(annotation: WeakAnnotation, classes: Sequence[str]) -> WeakAnnotation:
    """Give the background the name that it has in the project."""
    if BACKGROUND not in classes:
        return annotation
    names = [n for n in annotation.class_names() if n not in classes]
    return renamed_classes(
        annotation, {n: BACKGROUND for n in names if as_background(n)}
    )


def _pixels(annotation: WeakAnnotation, kind: str) -> int:
    dense = getattr(annotation, kind)
    return 0 if dense is None else int((dense.labels != DENSE_UNLABELED).sum())
