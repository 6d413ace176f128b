"""Kills of commands at random moments: no torn file, and the same files in the end."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.reliability.commands import JOBS, Job, contents, killed, timed
from mmseg_spml.engine.checkpoints import is_whole


def kill_jobs(
    work: Path, folders: dict[str, str], trials: int, seed: int
) -> Iterator[dict[str, Any]]:
    """Kill each job several times, and yield what came of it.

    Args:
        work: The folder to work in.
        folders: The folders of the scenes and of what the jobs start from.
        trials: The kills of each job.
        seed: The random seed of the moments.

    Yields:
        The name of a job, its seconds without a kill, the number of kills, of files
        that were torn after one, and of trials that ended with other files.
    """
    for job in JOBS:
        moments = random.Random(f'{seed} {job.name}')
        yield _kill_job(job, work, folders, trials, moments)


def _kill_job(
    job: Job, work: Path, folders: dict[str, str], trials: int, moments: random.Random
) -> dict[str, Any]:
    reference = work / f'{job.name}_reference'
    log = work / f'{job.name}.log'
    shutil.rmtree(reference, ignore_errors=True)
    seconds = timed(job.command({**folders, 'out': str(reference)}), log)
    wanted = contents(reference, job.files)
    if not wanted:
        raise RuntimeError(f'{job.name} has written nothing to {reference}')
    kills = torn = different = 0
    while kills < trials:
        out = work / f'{job.name}_killed'
        shutil.rmtree(out, ignore_errors=True)
        own = {**folders, 'out': str(out)}
        moment = moments.uniform(0.25, 1) * seconds
        if not killed(job.command(own), moment, log):
            continue
        kills += 1
        torn += _torn(out, reference, wanted)
        if job.anew:
            shutil.rmtree(out, ignore_errors=True)
        timed(job.command(own, again=True), log)
        different += contents(out, job.files) != wanted
    return dict(
        command=job.name, seconds=seconds, kills=kills, torn=torn, different=different
    )


def _torn(out: Path, reference: Path, wanted: dict[str, bytes]) -> int:
    """Count the files that a kill has left and that are not whole."""
    torn = sum(not is_whole(path) for path in out.rglob('*.pth'))
    for name in wanted:
        path = out / name
        if path.suffix != '.pth' and path.is_file():
            torn += path.read_bytes() != (reference / name).read_bytes()
    return torn
