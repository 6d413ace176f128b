"""Training of a project: seeds if labels need them, the model, pictures, a page."""

from collections.abc import Sequence
from pathlib import Path

from mmseg_spml.annotations.formats import json_lines
from mmseg_spml.annotations.label_map import known_tags
from mmseg_spml.annotations.model import AnnotationError
from mmseg_spml.annotations.text_files import read_names
from mmseg_spml.engine.shipped_files import read_config_file
from mmseg_spml.io.images import READABLE_SUFFIXES
from mmseg_spml.io.run_folders import RUN, last_checkpoint
from mmseg_spml.projects.config_file import ANNOTATIONS, CLASSIFIER, CONFIG, LISTS
from mmseg_spml.projects.result_page import write_result_page
from mmseg_spml.projects.rounds import kept_rounds
from mmseg_spml.projects.survey import BACKGROUND
from mmseg_spml.recipes.execution import is_finished, run_recipe
from mmseg_spml.recipes.stages import WORK_DIR, Recipe, Stage

RESULT = 'result.html'


def project_stages(folder: Path) -> tuple[Stage, ...]:
    """List what training a project takes.

    Args:
        folder: The folder of the project.

    Raises:
        FileNotFoundError: The folder has no config.
    """
    config = folder / CONFIG
    if not config.is_file():
        raise FileNotFoundError(
            f'{folder} is no project: it has no {CONFIG}. Write one by '
            f'`mmseg-spml init ANNOTATIONS {folder} --images IMAGES`'
        )
    cfg = read_config_file(config)
    model = f'{WORK_DIR}/{CONFIG}'
    # What the stages read is an input, so that they start anew after a change.
    read = (folder / ANNOTATIONS, folder / LISTS)
    inputs = tuple(str(path) for path in read if path.exists())
    stages = []
    if (folder / CLASSIFIER).is_file():
        classifier = f'{WORK_DIR}/{CLASSIFIER}'
        stages += [
            Stage(
                'classifier',
                'train',
                (classifier, '--work-dir', '{out}'),
                inputs,
                title='classifier of the tags',
            ),
            Stage(
                'maps',
                'cams',
                (classifier, '{classifier.checkpoint}', '{out}'),
                inputs,
                title='activation maps',
            ),
            Stage(
                'seeds',
                'seeds',
                (classifier, '{out}', '--cams', '{maps}'),
                inputs,
                title='seeds',
            ),
        ]
    elif 'seeds' in cfg:
        stages.append(Stage('seeds', 'seeds', (model, '{out}'), inputs, title='seeds'))
    seeds = ('{seeds}',) if stages else ()
    training = [model, '--work-dir', '{out}']
    before = kept_rounds(folder)
    if before:
        weights = Path(last_checkpoint(before[-1] / RUN)).relative_to(folder)
        training += ['--load-from', f'{WORK_DIR}/{weights.as_posix()}']
    stages.append(
        Stage(RUN, 'train', tuple(training), (*inputs, *seeds), title='model')
    )
    if cfg.model.decode_head.type == 'SPMLHead':
        picture = ('--out', '{out}/samples.png', '--num', '8')
        arguments = (model, f'{{{RUN}.checkpoint}}', *picture)
        stages.append(Stage('samples', 'draw', arguments, title='pictures'))
    return tuple(stages)


def check_inputs(folder: Path) -> None:
    """Check labels and images of a project, before an earlier run is set aside.

    Args:
        folder: The folder of the project.

    Raises:
        AnnotationError: A label is of no class of the config, as after an edit.
        FileNotFoundError: Images are missing.
    """
    cfg = read_config_file(folder / CONFIG)
    labels = folder / ANNOTATIONS
    reads = Path(cfg.get('annotations', labels)).resolve() == labels.resolve()
    if reads and 'classes' in cfg and labels.is_file():
        _check_labels(labels, cfg.classes)
    validation = cfg.get('val_dataloader') or {}
    # In older projects the list of images with masks has no suffixes.
    suffixes = dict(
        train='', held_out=validation.get('dataset', {}).get('img_suffix', '')
    )
    for name, suffix in suffixes.items():
        path = folder / LISTS / f'{name}.txt'
        names = read_names(path) if path.is_file() else []
        images = [Path(cfg.get('images', ''), f'{one}{suffix}') for one in names]
        missing = [image for image in images if _is_lost(image)]
        if missing:
            raise FileNotFoundError(
                f'{len(missing)} of the {len(images)} images in {path} are not there, '
                f'such as {missing[0]}: put them back, or take their lines out'
            )


def _check_labels(path: Path, classes: Sequence[str]) -> None:
    background = BACKGROUND if BACKGROUND in classes else None
    for annotation in json_lines.read(path):
        try:
            known_tags(annotation, classes, background)
        except AnnotationError as error:
            raise error.at(file=path, place=annotation.image) from error


def _is_lost(image: Path) -> bool:
    # A list may also have names without suffix.
    return image.suffix.lower() in READABLE_SUFFIXES and not image.is_file()


def train_project(folder: str | Path, processes: int = 1) -> Path:
    """Run all stages of a project that are not done, and write its page.

    The same call goes on after an interruption. Stages whose config has changed run
    again.

    Args:
        folder: The folder of the project.
        processes: The number of processes, one for each GPU.

    Returns:
        The page with curves, scores and pictures.

    Raises:
        FileNotFoundError: The folder is no project, or images are missing that a stage
            would read.
        AnnotationError: A label that a stage would read is of no class of the config.
        RuntimeError: A stage failed (the message names its log).
    """
    folder = Path(folder)
    recipe = Recipe(folder.name, folder, project_stages(folder))
    if not is_finished(recipe):
        check_inputs(folder)
    run_recipe(recipe, processes)
    page = folder / RESULT
    write_result_page(folder, page)
    return page
