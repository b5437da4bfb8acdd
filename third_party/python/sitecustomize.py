"""What CPython imports before it runs a program."""

import gc

import packed_sites

packed_sites.install()
# Most programs make hundreds of thousands of objects that stay until they end. Looking among them
# for cycles of garbage after every 700 was a quarter of an import of TensorFlow.
gc.set_threshold(100_000)
