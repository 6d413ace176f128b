"""Hook that builds the segment bank before validation and test."""

from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmseg_spml.engine.bank_building import build_bank, training_images
from mmseg_spml.engine.unwrapping import retrieves, unwrapped


@HOOKS.register_module()
class SegmentBankHook(Hook):
    """Builds the segment bank from the labeled segments of the training images.

    The hook runs before each validation and test of a model that predicts by retrieval,
    after ``EMAHook``, whose averaged weights embed the images. It does nothing for
    other models, or if the config has a bank file.

    Args:
        dataloader: Dataloader config of images with weak labels and a test-time
            pipeline. Default: the training images with the validation pipeline; see
            :func:`~mmseg_spml.engine.bank_building.training_images`.
        file: File ``.safetensors`` to write the bank to, or None.
        scales: See :func:`~mmseg_spml.engine.bank_building.build_bank`.
    """

    priority = 'LOW'

    def __init__(
        self,
        dataloader: dict | None = None,
        file: str | None = None,
        scales: Sequence[float] = (1.0,),
    ) -> None:
        self.dataloader = dataloader
        self.file = file
        self.scales = tuple(scales)

    def before_val_epoch(self, runner: Runner) -> None:
        """Build the bank for validation."""
        self._before_eval(runner)

    def before_test_epoch(self, runner: Runner) -> None:
        """Build the bank for testing."""
        self._before_eval(runner)

    def _before_eval(self, runner: Runner) -> None:
        if not retrieves(runner.model):
            return
        model = unwrapped(runner.model)
        head = model.spml_head
        if head.retrieval.bank is not None:
            return
        dataloader = Runner.build_dataloader(
            self.dataloader or training_images(runner.cfg), seed=runner.seed or 0
        )
        head.bank = build_bank(model, dataloader, scales=self.scales, file=self.file)
        runner.logger.info(f'Retrieval bank: {len(head.bank)} labeled segments')
