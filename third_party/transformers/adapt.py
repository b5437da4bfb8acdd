"""Makes the MobileBERT of transformers compute what Google's published MobileBERT computes.

    adapt.py WHEEL OUTPUT

WHEEL is the pinned transformers wheel, OUTPUT a new directory that becomes one entry of sys.path.
The published TensorFlow Lite files come from google-research/mobilebert (modeling.py,
attention_layer). transformers differs from it in how attention leaves padding out; two replacements
take that difference back. Run with the workspace root on PYTHONPATH.
"""

import re
import sys

from third_party.adapt import source_tree
from third_party.adapt.source_tree import Replacement

_MODEL = "transformers/models/mobilebert/modeling_tf_mobilebert.py"
_HUB = "transformers/utils/hub.py"

# What MobileBERT's module imports; of other models only the files that say what they consist of.
_WANTED = re.compile(
    r"transformers/(?!models/).*\.py"
    r"|transformers/models/(?:[^/]+/)?__init__\.py"
    r"|transformers/models/(?:auto|bert|mobilebert|t5)/.*\.py"
    r"|transformers-[^/]*\.dist-info/(?:METADATA|LICENSE)"
)

REPLACEMENTS = (
    # The mask stays 1 for tokens and 0 for padding ...
    Replacement(
        _MODEL,
        "        one_cst = tf.constant(1.0, dtype=embedding_output.dtype)\n"
        "        ten_thousand_cst = tf.constant(-10000.0, dtype=embedding_output.dtype)\n"
        "        extended_attention_mask = tf.multiply("
        "tf.subtract(one_cst, extended_attention_mask), ten_thousand_cst)\n",
        "",
    ),
    # ... and gives padding the score -6. Added, -10000 would stretch the range of the scores so far
    # that in 8 bits they would all be equal.
    Replacement(
        _MODEL,
        "attention_scores = attention_scores + attention_mask\n",
        "attention_scores = attention_scores * attention_mask + (1.0 - attention_mask) * -6.0\n",
    ),
    # An assertion that no output depends on, so a frozen graph does not have it.
    Replacement(
        _MODEL,
        "            check_embeddings_within_bounds(input_ids, self.config.vocab_size)\n",
        "",
    ),
    # Importing the package shall write no file into a cache below a person's home folder.
    Replacement(
        _HUB,
        "if not os.path.isfile(cache_version_file):\n    cache_version = 0\n",
        "if not os.path.isfile(cache_version_file):\n    cache_version = 1\n",
    ),
)


def place(member: str) -> str | None:
    """Maps a wheel member to its path in the tree, None when it is not wanted."""
    return member if _WANTED.fullmatch(member) else None


def main() -> None:
    """Reads the command line and writes the tree."""
    if len(sys.argv) != 3:
        raise source_tree.AdaptError("usage: adapt.py WHEEL OUTPUT.")
    wheel, output = sys.argv[1:]
    files = source_tree.read_archive(wheel, place)
    source_tree.require(wheel, files, [replacement.path for replacement in REPLACEMENTS])
    source_tree.write_tree(source_tree.replace(files, REPLACEMENTS), output)


if __name__ == "__main__":
    source_tree.run(main)
