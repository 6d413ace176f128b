"""What will hurt a training, said before it begins."""

import shlex
from collections import Counter
from collections.abc import Collection, Iterator

from mmseg_spml.annotations.check import MOSTLY_VOID
from mmseg_spml.projects.survey import BACKGROUND, Survey

# A class with less than this part of the labeled pixels of the commonest is rare.
_RARE = 100
_FEW = 10


def advice(
    survey: Survey,
    supervision: str,
    trained: int,
    full: bool,
    tagged: Collection[str] = (),
    *,
    unknown: bool = False,
) -> list[str]:
    """Describe what will hurt, a sentence or two each.

    Args:
        survey: What the annotations are like.
        supervision: ``'pixels'``, ``'boxes'`` or ``'tags'``.
        trained: The number of training images.
        full: Whether the annotations label all pixels.
        tagged: The names of training images with boxes or tags alone, beside others.
        unknown: Whether a class without a mark is not taken for absent.

    Returns:
        The warnings, the gravest first.
    """
    pixels = supervision == 'pixels'
    return [
        *_background(survey, pixels),
        *_values_of_masks(survey),
        *(_classes(survey) if pixels else ()),
        *(_tags_of_all_images(survey) if supervision == 'tags' else ()),
        *(_unmarked(survey, full, tagged) if pixels and not unknown else ()),
        *_names_alike(survey),
        *_left_out(survey),
        *(
            [f'{trained} images are few: label some more for better results.']
            if trained < _FEW
            else []
        ),
    ]


def _background(survey: Survey, pixels: bool) -> Iterator[str]:
    if BACKGROUND not in survey.classes:
        yield (
            f'No class is named {BACKGROUND!r}: the model will give every pixel one of '
            f'the classes {", ".join(survey.classes)}. If the images show anything '
            f'else, mark some of it as {BACKGROUND!r}.'
        )
    elif pixels and not survey.pixels[BACKGROUND]:
        yield (
            f'Nothing is marked as {BACKGROUND!r}, so that the model cannot learn it: '
            'draw a stroke on the background of each image.'
        )


def _values_of_masks(survey: Survey) -> Iterator[str]:
    """Values that may mean something else than they are taken for."""
    doubts = Counter(warning.problem for warning in survey.problems.warnings)
    for doubt, number in doubts.items():
        yield f'In {number} of the files: {doubt}.'
    void = sum(MOSTLY_VOID in finding.what for finding in survey.report.findings)
    if void:
        yield (
            f'{void} label maps are void (255) for the most part, which teaches '
            'nothing. If 255 means unlabeled there, run init again with --values '
            '255=unlabeled.'
        )


def _classes(survey: Survey) -> Iterator[str]:
    most = max(survey.pixels.values())
    for name, count in survey.pixels.items():
        if name != BACKGROUND and not count:
            yield f'No pixel is marked as {name!r}.'
        elif 0 < count < most / _RARE:
            yield (
                f'{name!r} has {count} labeled pixels, the commonest class {most}: '
                'label more of it, or it may be lost.'
            )


def _tags_of_all_images(survey: Survey) -> Iterator[str]:
    """Classes whose tag tells a classifier nothing."""
    everywhere = [
        name
        for name in survey.classes
        if name != BACKGROUND and all(name in one.shown() for one in survey.annotations)
    ]
    if everywhere:
        yield (
            f'All images have the tags {", ".join(map(repr, everywhere))}: a '
            'classifier cannot learn where these classes are. Add images without '
            'them, or label some pixels.'
        )


def _unmarked(survey: Survey, full: bool, tagged: Collection[str]) -> Iterator[str]:
    names = {*tagged} if full else {*tagged, *(one.image for one in survey.labeled)}
    trained = [one for one in survey.annotations if one.image in names]
    if not all(annotation.tags_complete for annotation in trained):
        yield (
            'A class without a mark in an image counts as absent from that image. If '
            "your annotators left objects out, set undeclared_tags='unknown' in the "
            'config.'
        )


def _names_alike(survey: Survey) -> Iterator[str]:
    """Classes whose names are likely meant to be one."""
    spellings: dict[str, list[str]] = {}
    for name in survey.classes:
        spellings.setdefault(' '.join(name.split()).casefold(), []).append(name)
    for names in spellings.values():
        if len(names) > 1:
            pair = f'{names[0]}={names[1]}'
            yield (
                f'The classes {", ".join(map(repr, names))} differ in case or blanks '
                'alone. If they are one, join them, such as by `mmseg-spml convert '
                f'{shlex.quote(str(survey.source))} joined.jsonl --rename '
                f'{shlex.quote(pair)}`, and call init with the result.'
            )


def _left_out(survey: Survey) -> Iterator[str]:
    if survey.missing:
        yield (
            f'{len(survey.missing)} annotated images have no file, such as '
            f'{survey.missing[0]}.'
        )
    if survey.unusable:
        errors = (f for f in survey.report.findings if f.level == 'error')
        first = next(f for f in errors if f.image == survey.unusable[0])
        yield (
            f'{len(survey.unusable)} annotated images are left out, since training '
            f'would fail on them; first: {first.image}: {first.what}'
        )
    if survey.problems.found:
        yield (
            f'{len(survey.problems.found)} malformed entries were left out; first: '
            f'{survey.problems.found[0]}'
        )
