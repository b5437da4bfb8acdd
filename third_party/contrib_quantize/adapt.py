"""Makes TensorFlow 1.15's contrib.quantize usable under TensorFlow 2.15 to 2.17.

    adapt.py WHEEL OUTPUT

WHEEL is the pinned tensorflow 1.15.5 wheel, OUTPUT a new directory that becomes an entry of
sys.path with the package `contrib_quantize`. The package is not called
`tensorflow.contrib.quantize`, since it is not part of the installed TensorFlow. Run it with the
workspace root on PYTHONPATH.
"""

import re

from third_party.adapt import source_tree
from third_party.adapt.source_tree import Replacement

_KEPT = re.compile(r"tensorflow_core/contrib/(quantize/.*\.py)")
# The number of imports from the own package in each file.
_OWN_IMPORTS = {
    "__init__.py": 1,
    "python/fold_batch_norms.py": 3,
    "python/input_to_ops.py": 1,
    "python/quantize.py": 4,
    "python/quantize_graph.py": 2,
}

REPLACEMENTS = tuple(
    Replacement(
        f"contrib_quantize/{path}",
        "from tensorflow.contrib.quantize.python",
        "from contrib_quantize.python",
        times,
    )
    for path, times in _OWN_IMPORTS.items()
)


def place(member: str) -> str | None:
    """Returns the path in the tree of a wheel's member; None to leave it out."""
    match = _KEPT.fullmatch(member)
    if match:
        return "contrib_" + match[1]
    # The wheel has no licence text of TensorFlow itself: METADATA states Apache 2.0, and every
    # source file keeps its licence header.
    return "METADATA" if re.fullmatch(r"tensorflow-[^/]*\.dist-info/METADATA", member) else None


if __name__ == "__main__":
    source_tree.run(source_tree.adapt_wheel(place, REPLACEMENTS))
