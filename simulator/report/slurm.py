"""A sweep as a SLURM job array: the text that ``sbatch`` reads."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from simulator.physics.notation import count, duration

#: Factor and time [s] by which a task may take longer than the trial says: other processors, and a kernel to compile.
FACTOR, LONGER = 3.0, 600.0

#: Largest array that SLURM allows unless its administrator raised MaxArraySize.
USUAL_ARRAY = 1000


@dataclass(frozen=True)
class JobArray:
    """A sweep to be run as an array of shards.

    Parameters
    ----------
    name : str
        Name of the scenario.
    runs, parts, tasks : int
        Number of runs, of parts, and of tasks of the array.
    seconds : float
        Time [s] that the longest task takes, as tried here.
    memory : int
        Memory [bytes] that a task needs.
    threads : int
        Threads of a task.
    program : sequence of str
        The command that starts ionflux.
    scenario, output : str
        The scenario and the directory of the parts, as absolute paths.
    options : sequence of str
        More options of ``ionflux run``.
    directives : sequence of str
        More options of ``sbatch``; they come last and so win over those that are worked out.
    """

    name: str
    runs: int
    parts: int
    tasks: int
    seconds: float
    memory: int
    threads: int
    program: Sequence[str]
    scenario: str
    output: str
    options: Sequence[str]
    directives: Sequence[str]

    def text(self) -> str:
        """Return the script."""
        label = re.sub(r"\W+", "_", self.name, flags=re.ASCII).strip("_") or "sweep"
        program = shlex.join(self.program)
        command = [program, "run", shlex.quote(self.scenario), "-o", shlex.quote(self.output)]
        command += [
            "--shard",
            f'"$SLURM_ARRAY_TASK_ID/{self.tasks}"',
            "--threads",
            f'"${{SLURM_CPUS_PER_TASK:-{self.threads}}}"',
        ]
        command += map(shlex.quote, self.options)
        directives = [
            f"--job-name={label}",
            f"--array=1-{self.tasks}",
            "--ntasks=1",
            f"--cpus-per-task={self.threads}",
            f"--time={self._minutes()}",
            f"--mem={math.ceil(self.memory / 1e6)}M",
            f"--output={label}-%A_%a.log",
            *self.directives,
        ]
        out = shlex.quote(self.output)
        remarks = [
            f"{self.name}: {count(self.runs)} runs in {count(self.parts)} parts, shared by {self.tasks} tasks.",
            f"A trial says {duration(self.seconds)} for a task; --time leaves room for slower processors.",
            "",
            f"How far it is:          {program} status {out}",
            f"When all tasks are done: {program} merge {out} -o {shlex.quote(self.output + '_merged')}",
            "A task that was killed or ran out of time goes on where it stopped: submit this script again, or",
            "only the tasks with missing parts (sbatch --array=3,7 THIS_FILE). Tasks that are done end at once.",
        ]
        if self.tasks > USUAL_ARRAY:
            remarks.append(f"Many clusters allow arrays of at most {USUAL_ARRAY} tasks.")
        lines = ["#!/bin/bash"]
        lines += [f"#SBATCH {directive}" for directive in directives]
        lines += ["", *(f"# {remark}".rstrip() for remark in remarks), "", "exec " + " ".join(command)]
        return "\n".join(lines) + "\n"

    def _minutes(self) -> str:
        """Time limit of a task as SLURM writes it: days-hours:minutes:seconds."""
        minutes = math.ceil((FACTOR * self.seconds + LONGER) / 60.0)
        days, minutes = divmod(minutes, 24 * 60)
        return f"{days}-{minutes // 60:02d}:{minutes % 60:02d}:00"
