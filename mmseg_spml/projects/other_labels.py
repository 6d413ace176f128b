"""What becomes of images with other labels than most, and of classes without a mark."""

from mmseg_spml.annotations.model import WeakAnnotation
from mmseg_spml.annotations.sampling import evenly_spread
from mmseg_spml.projects.plan import Plan
from mmseg_spml.projects.survey import Survey

# Images with tags alone join if they are so many times more. They must not be seen more
# often than the labeled ones, for the model is tested with their batch statistics; the
# number itself is a guess on the safe side of half as many.
_UNLABELED_PER_LABELED = 5


def _other_images(plan: Plan, survey: Survey) -> list[WeakAnnotation]:
    """Annotations of another kind than most taught, of images that are not held out."""
    known = {*plan.train, *plan.held_out, *plan.tagged}
    found = (*survey.labeled, *survey.boxed, *survey.tagged)
    return [annotation for annotation in found if annotation.image not in known]


def choose_tagged(plan: Plan, survey: Survey) -> None:
    """Choose the images with boxes or tags alone that join the labeled ones."""
    if plan.supervision != 'pixels' or plan.loss != 'propagation':
        return
    # Complete boxes label what is outside of them.
    others = _other_images(plan, survey)
    names = [one.image for one in others if not one.boxes_complete]
    if not names or len(names) < _UNLABELED_PER_LABELED * len(plan.train):
        return
    plan.tagged = evenly_spread(names, plan.max_iters * plan.batch // 2)
    plan.batch += plan.batch // 2
    plan.choose(
        'tags',
        f'{len(plan.tagged)} images with boxes or tags alone, in batches of '
        f'{plan.batch}',
        'A third of each batch are such images. Their boxes serve as tags, which '
        'say which classes their pixels can have. They helped a few labeled images '
        'where tags differed from image to image, and did no harm elsewhere.',
    )


def choose_undeclared(plan: Plan, survey: Survey) -> None:
    """Choose whether classes that nobody stated to be absent are taken for absent."""
    known = {*plan.train, *plan.tagged}
    trained = [one for one in survey.annotations if one.image in known]
    stated = any(annotation.absent for annotation in trained)
    if plan.supervision == 'tags':
        # A table with gaps: some rows know all classes, and others do not.
        stated |= len({annotation.tags_complete for annotation in trained}) == 2
    if stated:
        plan.undeclared = 'unknown'
        plan.choose(
            'undeclared tags',
            'unknown',
            'Some annotations say which classes an image does not show, so that what '
            'others leave open is not taken for absent.',
        )


def warn_of_images_left_out(plan: Plan, survey: Survey) -> None:
    """Warn of images that the model does not learn from, and say why."""
    left_out = len(_other_images(plan, survey))
    if not left_out:
        return
    if plan.tagged:
        reason = (
            'no more can be seen in so many iterations, or their boxes are complete'
        )
    elif plan.supervision != 'pixels':
        reason = f'this model learns from {plan.supervision}'
    elif plan.loss != 'propagation':
        reason = 'only label propagation learns from them'
    else:
        reason = (
            f'they join if they are {_UNLABELED_PER_LABELED} times as many as the '
            'labeled ones, without boxes that are complete'
        )
    plan.warnings.append(
        f'{left_out} images with another kind of annotations are left out: {reason}. '
        'Train on them alone in a project of their own.'
    )
