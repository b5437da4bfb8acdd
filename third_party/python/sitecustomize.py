"""CPython imports this module before it runs a program."""

import gc

import packed_sites

packed_sites.install()
# Most programs create hundreds of thousands of objects that live until the end. With the default
# threshold of 700, garbage collection took a quarter of the time of an import of TensorFlow.
gc.set_threshold(100_000)
