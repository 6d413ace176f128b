"""The page of a project: labels, counts, choices, and what will hurt."""

import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

from mmseg_spml.annotations.check import grouped
from mmseg_spml.annotations.sampling import evenly_spread
from mmseg_spml.annotations.voc_classes import voc_palette
from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.io.images import read_picture
from mmseg_spml.io.progress import watched
from mmseg_spml.projects.plan import Plan
from mmseg_spml.projects.survey import Survey
from mmseg_spml.visualization.annotations import (
    annotation_layer,
    draw_annotation,
    shrink,
)
from mmseg_spml.visualization.image_grid import data_url

_TEMPLATE = Path(__file__).with_name('report_page.html')
_PICTURES, _SIDE = 48, 320
_MOST_LINES = 40


def write_report_page(survey: Survey, plan: Plan, path: Path) -> None:
    """Write the page, which refers to no other file.

    Args:
        survey: What the annotations are like.
        plan: What was chosen.
        path: The HTML file to write.
    """
    lines = grouped(sorted(survey.report.findings, key=lambda one: one.level))
    page = Template(_TEMPLATE.read_text(encoding='utf-8')).substitute(
        title=html.escape(survey.source.name),
        summary=html.escape(_summary(survey)),
        warnings=_items(plan.warnings) or '<p>None.</p>',
        choices=_table(
            ('', '', 'why'),
            ((one.name, one.value, one.reason) for one in plan.choices),
        ),
        classes=_class_table(survey),
        pictures=''.join(_pictures(survey)),
        findings=_items(lines[:_MOST_LINES]) or '<p>None.</p>',
        unannotated=_names(survey.unannotated),
    )
    with atomic_file(path) as file:
        file.write(page.encode())


def _summary(survey: Survey) -> str:
    labeled = sum(survey.pixels.values()) / max(survey.report.total_pixels, 1)
    return (
        f'{len(survey.annotations)} annotated images, {len(survey.unannotated)} '
        f'without annotation; {labeled:.2%} of the pixels are labeled; format '
        f'{survey.format}; the largest image has {survey.largest_side} pixels a side.'
    )


def _class_table(survey: Survey) -> str:
    total = max(survey.report.total_pixels, 1)
    palette = voc_palette(len(survey.classes))
    kinds = survey.report.kinds()
    rows = []
    for name, color in zip(survey.classes, palette):
        rgb = ','.join(map(str, color))
        chip = f'<i class="chip" style="background:rgb({rgb})"></i>'
        counts = [survey.report.counts[name, kind] or '' for kind in kinds]
        share = f'{survey.pixels[name] / total:.3%}'
        rows.append((chip + html.escape(name), *counts, share))
    return _table(('class', *kinds, 'pixels'), rows, escape=False)


def _pictures(survey: Survey) -> Iterable[str]:
    palette = voc_palette(len(survey.classes))
    for annotation in watched(evenly_spread(survey.annotations, _PICTURES), 'drawing'):
        try:
            image = shrink(read_picture(survey.images / annotation.image), _SIDE)
            layer = annotation_layer(
                annotation, survey.classes, palette, image.shape[:2]
            )
        except (OSError, ValueError):
            continue  # it is among the findings
        url = data_url(draw_annotation(image, layer), '.jpg')
        name = html.escape(annotation.image)
        tags = html.escape(', '.join(sorted(annotation.shown())))
        yield (
            f'<figure><img src="{url}" alt="{name}"><figcaption>{name}<br>{tags}'
            '</figcaption></figure>'
        )


def _names(names: Sequence[str]) -> str:
    shown = ', '.join(map(html.escape, names[:_MOST_LINES]))
    more = len(names) - _MOST_LINES
    return (shown or 'None.') + (f' and {more} more' if more > 0 else '')


def _items(lines: Sequence[str]) -> str:
    if not lines:
        return ''
    return '<ul>' + ''.join(f'<li>{html.escape(line)}</li>' for line in lines) + '</ul>'


def _table(
    head: Sequence[str], rows: Iterable[Sequence[object]], escape: bool = True
) -> str:
    def cells(row: Sequence[object], tag: str) -> str:
        texts = (html.escape(str(c)) if escape else str(c) for c in row)
        return '<tr>' + ''.join(f'<{tag}>{text}</{tag}>' for text in texts) + '</tr>'

    body = ''.join(cells(row, 'td') for row in rows)
    return f'<table>{cells(head, "th")}{body}</table>'
