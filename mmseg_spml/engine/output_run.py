"""Runs over the test images whose evaluator writes a file for each."""

from mmengine.config import Config
from mmengine.runner import Runner

from mmseg_spml.datasets.seed_files import check_outputs

from . import launch


def write_outputs(cfg: Config, checkpoint: str, out: str) -> None:
    """Run MMEngine's test loop, once it is sure that its files have names of their own.

    Args:
        cfg: Config of the run; its test evaluator writes to ``out``.
        checkpoint: Of its model; every weight must be there.
        out: Folder of the files.

    Raises:
        ValueError: If two images share a name, or the checkpoint does not fit.
    """
    runner = Runner.from_cfg(cfg)
    dataset = runner.test_dataloader.dataset
    samples = [dataset.get_data_info(index) for index in range(len(dataset))]
    check_outputs(samples, out)
    launch.check_checkpoint(runner.model, checkpoint)
    runner.test()
    del runner
    launch.close_distributed()
