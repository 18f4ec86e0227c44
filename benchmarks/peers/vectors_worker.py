"""Runs inside an environment with scikit-image, pyxem or both: reads job names, prints the seconds each took.

python vectors_worker.py FRAMES.npy RADIUS FOLDER

The positions that a job found are left in FOLDER, as JSON, under the number of the job.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np

warnings.simplefilter("ignore")
ANSWERS = sys.stdout
sys.stdout = sys.stderr  # where else the programs would write their messages between the answers


def main() -> None:
    frames, radius, folder = np.load(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
    work = {}
    try:
        from skimage.feature import match_template, peak_local_max

        half = int(np.ceil(radius)) + 1  # a wider rim would reach the next disk and pull the peak
        y, x = np.mgrid[-half : half + 1, -half : half + 1]
        template = (np.hypot(y, x) <= radius).astype(np.float32)

        def with_skimage():
            found = []
            for frame in frames:
                image = match_template(frame.astype(np.float32), template, pad_input=True)
                found.append(peak_local_max(image, min_distance=int(radius), threshold_abs=0.5, exclude_border=False))
            return found

        work["scikit-image: match_template + peak_local_max"] = with_skimage
    except ImportError:
        pass
    try:
        from pyxem.signals import Diffraction2D

        signal = Diffraction2D(frames)

        def with_pyxem():
            matched = signal.template_match_disk(disk_r=round(radius), show_progressbar=False)
            options = {"threshold_abs": 0.7, "min_distance": int(radius), "show_progressbar": False}
            vectors = matched.get_diffraction_vectors(get_intensity=False, **options)
            axes = matched.axes_manager.signal_axes[::-1]
            offsets = np.array([axis.offset for axis in axes])
            scales = np.array([axis.scale for axis in axes])
            return [(np.asarray(one)[:, :2] - offsets) / scales for one in vectors.data]

        work["pyxem: template_match_disk + get_diffraction_vectors"] = with_pyxem
    except ImportError:
        pass
    print(json.dumps(list(work)), file=ANSWERS, flush=True)
    for line in sys.stdin:
        name = line.strip()
        start = time.perf_counter()
        found = work[name]()
        seconds = time.perf_counter() - start
        number = list(work).index(name)
        (folder / f"found-{number}.json").write_text(json.dumps([np.asarray(one).tolist() for one in found]))
        print(seconds, file=ANSWERS, flush=True)


if __name__ == "__main__":
    main()
