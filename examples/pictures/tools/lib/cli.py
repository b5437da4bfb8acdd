"""What this workspace's programs share. The path is also one of reproducible_tflite's own files."""

import argparse


def output() -> str:
    """Returns the command line's --output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", required=True)
    return parser.parse_args().output
