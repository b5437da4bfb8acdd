"""Writes samples for a model of somebody else, without a module of this repository."""

import argparse

import numpy

parser = argparse.ArgumentParser()
parser.add_argument("--output", required=True)
parser.add_argument("--single", action="store_true")
arguments = parser.parse_args()

signal = numpy.arange(5.0)[:, None] + [0.0, 0.5]
if arguments.single:
    numpy.save(arguments.output, signal)
else:
    numpy.savez(arguments.output, steps=numpy.arange(5, dtype=numpy.int32)[:, None], signal=signal)
