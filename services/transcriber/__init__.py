"""Audio chunks in, redacted partial and final utterances with word times out."""

import os

# One thread a decode, as TRANSCRIBER_DECODE_THREADS says: numpy's own pool would only wait on the same cores.
for _pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_pool, "1")
