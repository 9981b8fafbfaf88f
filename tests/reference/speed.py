"""How long a picture of 1024×1024 takes on the CPU: `imagen generate` against the PyTorch reference sampler, one run.

    python tests/reference/speed.py STORYBOOK_HF SAMPLER_DIR target/debug/imagen [RUNS]

Alternates the two. Ours is the whole process: start, loading, sampling, PNG. PyTorch's (f32, all cores) is the sampling
alone, its start and loading left out. Prints both in seconds of wall-clock time and the ratio of the medians.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

import torch

PROMPT = "a red house on a hill at night"


def main(source, sampler, program, runs="5"):
    torch.set_num_threads(os.cpu_count())
    sys.path.insert(0, sampler)
    import sample
    cascade = sample.Cascade(source, device="cpu")
    cascade([PROMPT], size=1024)  # The first run allocates and picks kernels.
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(int(runs)):
            start = time.perf_counter()
            cascade([PROMPT], seed=seed, size=1024)
            theirs.append(time.perf_counter() - start)
            start = time.perf_counter()
            subprocess.run([program, "generate", "-p", PROMPT, "-s", str(seed), "--device", "cpu", "-o", f"{folder}/a.png"],
                           check=True, capture_output=True)
            ours.append(time.perf_counter() - start)
            print(f"imagen {ours[-1]:.2f} s, PyTorch {theirs[-1]:.2f} s", flush=True)
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"median: imagen {a:.2f} s, PyTorch {b:.2f} s, ratio {a / b:.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
