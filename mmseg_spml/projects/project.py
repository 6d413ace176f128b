"""A project: a folder with a config, lists of images and a report."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmseg_spml.projects.choices import make_plan
from mmseg_spml.projects.config_file import CONFIG, write_config
from mmseg_spml.projects.plan import Plan
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
    """

    folder: Path
    survey: Survey
    plan: Plan

    def summary(self) -> Iterator[str]:
        """Yield the lines that tell a user what was found and chosen."""
        survey, plan = self.survey, self.plan
        yield (
            f'{len(survey.annotations)} annotated images ({survey.format}), '
            f'{len(survey.unannotated)} without annotation, {len(survey.classes)} '
            f'classes: {", ".join(survey.classes)}'
        )
        for choice in plan.choices:
            yield f'  {choice.name}: {choice.value}. {choice.reason}'
        for warning in plan.warnings:
            yield f'Warning: {warning}'
        yield f'{self.folder / CONFIG} and {self.folder / REPORT} are written. Next:'
        yield f'  mmseg-spml train {self.folder}'


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
        overwrite: Whether to replace the config of an earlier project.
        **options: Options of :func:`~mmseg_spml.projects.survey.take_survey`.

    Raises:
        FileExistsError: ``out`` has a config, and ``overwrite`` is False.
        FileNotFoundError: Annotations or images are missing.
        ValueError: The annotations do not say enough to train.
    """
    folder = Path(out)
    if (folder / CONFIG).exists() and not overwrite:
        raise FileExistsError(
            f'{folder / CONFIG} exists, perhaps with your changes: name another '
            'folder, or replace it by --overwrite'
        )
    survey = take_survey(source, images, classes=classes, **options)
    plan = make_plan(survey, cuda=cuda, loss=loss)
    write_config(survey, plan, folder)
    project = Project(folder, survey, plan)
    write_report_page(survey, plan, folder / REPORT)
    return project
