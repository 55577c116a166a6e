"""Samples in columns: from wire text to arrays, to bytes, and back; merged when read."""

import os

# The matrices here are small: a second thread in BLAS costs more than it computes. NumPy reads
# this once, when it is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
