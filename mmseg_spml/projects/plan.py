"""What a project trains, as choices with their reasons."""

from dataclasses import dataclass, field

LOSSES = ('propagation', 'spml', 'cross_entropy', 'dense_crf')


@dataclass(frozen=True)
class Choice:
    """One choice and its reason, a sentence.

    Attributes:
        name: What is chosen, in a word or two.
        value: What it is, for people.
        reason: Why.
    """

    name: str
    value: str
    reason: str


@dataclass
class Plan:
    """All that a config needs to know, with the reasons.

    Attributes:
        supervision: ``'pixels'``, ``'boxes'`` or ``'tags'``: what teaches the model.
        loss: One of ``LOSSES``.
        train: The names of the training images.
        tagged: The names of training images with boxes or tags alone, beside those.
        held_out: The names of the images that are held out for validation.
        max_side: The working size of images; None if they are all smaller.
        crop: The side of the crops in pixels.
        batch: The images of an iteration.
        max_iters: The number of iterations.
        variant: The variant of EfficientNet-lite.
        regions: The method that makes regions.
        bands: The number of bands of the images; None if they are photographs.
        mean: The mean of each band, if there is a number of bands.
        std: The standard deviation of each band.
        has_gaps: Whether images have values that are not finite (no data).
        undeclared: See ``WeakSegDataset(undeclared_tags=...)``.
        drop_unmarked: See ``LabelPropagationLoss``.
        choices: The choices with their reasons.
        warnings: What will hurt, a sentence or two each.
    """

    supervision: str = 'pixels'
    loss: str = 'propagation'
    train: list[str] = field(default_factory=list)
    tagged: list[str] = field(default_factory=list)
    held_out: list[str] = field(default_factory=list)
    max_side: int | None = None
    crop: int = 320
    batch: int = 8
    max_iters: int = 600
    variant: str = 'lite0'
    regions: str = 'hed-owt-ucm'
    bands: int | None = None
    mean: list[float] = field(default_factory=list)
    std: list[float] = field(default_factory=list)
    has_gaps: bool = False
    undeclared: str = 'absent'
    drop_unmarked: bool = False
    choices: list[Choice] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def choose(self, name: str, value: object, reason: str) -> None:
        """Note a choice."""
        self.choices.append(Choice(name, str(value), reason))
