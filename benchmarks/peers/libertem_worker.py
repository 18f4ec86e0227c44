"""Runs inside LiberTEM's own environment: reads job names, prints the seconds each took.

python libertem_worker.py FILE.hdr EXECUTOR
"""

import json
import sys
import time

import libertem.api as lt
from libertem.masks import circular, ring
from libertem.udf.com import CoMUDF
from libertem.udf.masks import ApplyMasksUDF
from libertem.udf.sum import SumUDF


def main() -> None:
    header, executor = sys.argv[1:]
    context = lt.Context.make_with(executor) if executor != "inline" else lt.Context.make_with("inline")
    dataset = context.load("mib", path=header)

    def rings():
        made = [lambda: circular(128, 128, 256, 256, 20)]
        made += [lambda a=a, b=b: ring(128, 128, 256, 256, b, a) for a, b in ((20, 40), (40, 90), (90, 120))]
        return made

    annulus = ApplyMasksUDF(mask_factories=[rings()[2]])
    bright = ApplyMasksUDF(mask_factories=[rings()[0]])
    many = ApplyMasksUDF(mask_factories=rings())
    work = {
        "virtual image, annulus": [annulus],
        "virtual image, bright field": [bright],
        "centre of mass": [CoMUDF.with_params(cy=128, cx=128, r=float("inf"))],
        "sum pattern": [SumUDF()],
        "4 images + COM + sum + max, one pass": [many, CoMUDF.with_params(cy=128, cx=128, r=float("inf")), SumUDF()],
    }
    print(json.dumps(list(work)), flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        context.run_udf(dataset=dataset, udf=work[line.strip()])
        print(time.perf_counter() - start, flush=True)
    context.close()


if __name__ == "__main__":
    main()
