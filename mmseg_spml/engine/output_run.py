"""Test runs in which the evaluator writes a file for each image."""

from mmengine.config import Config

from mmseg_spml.datasets.list_files import check_own_files, samples_of
from mmseg_spml.datasets.seed_files import check_outputs
from mmseg_spml.engine import launch
from mmseg_spml.engine.runner import ConciseRunner
from mmseg_spml.io.folders import make_output_folder


def write_outputs(cfg: Config, checkpoint: str, out: str) -> None:
    """Run MMEngine's test loop after checking the output names and the checkpoint.

    Args:
        cfg: Config of the run; its test evaluator writes to ``out``.
        checkpoint: Checkpoint of the model; it must contain all weights.
        out: Folder to write to.

    Raises:
        ValueError: If two images would share a file, ``out`` contains input files, or
            the checkpoint does not fit the model.
        OSError: ``out`` cannot be written to.
    """
    runner = ConciseRunner.from_cfg(cfg)
    dataset = runner.test_dataloader.dataset
    samples = samples_of(dataset)
    check_outputs(samples, out)
    check_own_files(samples, cfg.test_evaluator.get('truth'), '.png')
    check_own_files(samples, cfg.model.get('cams'), '.npz', '.npy')
    make_output_folder(out)
    launch.check_checkpoint(runner.model, checkpoint)
    runner.test()
    del runner
    launch.close_distributed()
