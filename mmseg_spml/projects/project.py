"""A project: a folder with a config, lists of images and a report."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from mmseg_spml.io.folder_lock import locked_folder
from mmseg_spml.io.image_folders import check_outside_of_images
from mmseg_spml.projects.band_statistics import add_band_statistics
from mmseg_spml.projects.choices import make_plan
from mmseg_spml.projects.config_file import CONFIG, write_config
from mmseg_spml.projects.plan import Plan
from mmseg_spml.projects.replacing import set_aside
from mmseg_spml.projects.report_page import write_report_page
from mmseg_spml.projects.survey import Survey, take_survey

REPORT = 'report.html'


@dataclass(frozen=True)
class Project:
    """A project that was just written.

    Attributes:
        folder: Its folder.
        survey: What the annotations are like.
        plan: What was chosen.
        replaced: The folder with what an earlier project in the same place had, if
            there was one.
    """

    folder: Path
    survey: Survey
    plan: Plan
    replaced: Path | None = None

    def summary(self) -> Iterator[str]:
        """Yield the lines that tell a user what was found and chosen."""
        survey, plan = self.survey, self.plan
        usable = len(survey.annotations)
        of = f'{usable} of {usable + len(survey.unusable)}'
        yield (
            f'{of if survey.unusable else usable} annotated images ({survey.format}), '
            f'{len(survey.unannotated)} without annotation, {len(survey.classes)} '
            f'classes: {", ".join(survey.classes)}'
        )
        for choice in plan.choices:
            yield f'  {choice.name}: {choice.value}. {choice.reason}'
        for warning in plan.warnings:
            yield f'Warning: {warning}'
        if self.replaced is not None:
            yield f'What the earlier project had is now in {self.replaced}.'
        yield f'{self.folder / CONFIG} and {self.folder / REPORT} are written. Next:'
        yield f'  mmseg-spml train {quote(str(self.folder))}'


def init_project(
    source: str | Path,
    images: str | Path,
    out: str | Path,
    *,
    cuda: bool = False,
    loss: str | None = None,
    classes: Sequence[str] | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Project:
    """Look at annotations and images, choose what to train, and write a project.

    Args:
        source: The file or folder of annotations.
        images: The folder of the images.
        out: The folder of the project.
        cuda: Whether the model will be trained on a GPU.
        loss: ``'propagation'``, ``'spml'``, ``'cross_entropy'`` or ``'dense_crf'``;
            None: what suits the labels.
        classes: The class names in the order of their ids; found if None.
        overwrite: Whether to set an earlier project in the same folder aside.
        **options: Options of :func:`~mmseg_spml.projects.survey.take_survey`.

    Raises:
        FileExistsError: ``out`` has a config, and ``overwrite`` is False.
        FileNotFoundError: Annotations or images are missing.
        ValueError: The annotations do not say enough to train, or ``out`` lies in
            ``images``.
    """
    folder = Path(out)
    if (folder / CONFIG).exists() and not overwrite:
        raise FileExistsError(
            f'{folder / CONFIG} exists, perhaps with your changes: name another '
            'folder, or replace it by --overwrite'
        )
    check_outside_of_images(folder, images)
    survey = take_survey(source, images, classes=classes, **options)
    plan = make_plan(survey, cuda=cuda, loss=loss)
    add_band_statistics(plan, survey)
    replaced = None
    if (folder / CONFIG).exists():
        with locked_folder(folder, 'a training'):
            replaced = set_aside(folder)
    write_config(survey, plan, folder)
    project = Project(folder, survey, plan, replaced)
    write_report_page(survey, plan, folder / REPORT)
    return project
