"""Makes the MobileBERT of transformers compute the same as Google's published MobileBERT.

    adapt.py WHEEL OUTPUT

WHEEL is the pinned transformers wheel, OUTPUT a new directory that becomes an entry of sys.path.
The published TensorFlow Lite files come from google-research/mobilebert (modeling.py,
attention_layer). transformers masks padding in the attention differently; two replacements undo
that difference. Run it with the workspace root on PYTHONPATH.
"""

import re

from third_party.adapt import source_tree
from third_party.adapt.source_tree import Replacement

_MODEL = "transformers/models/mobilebert/modeling_tf_mobilebert.py"
_HUB = "transformers/utils/hub.py"

# The files that MobileBERT's module imports; of other models only `__init__.py`.
_KEPT = re.compile(
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
    # ... and gives padding the score -6. An added -10000 would widen the range of the scores so
    # much that all others would be equal in 8 bits.
    Replacement(
        _MODEL,
        "attention_scores = attention_scores + attention_mask\n",
        "attention_scores = attention_scores * attention_mask + (1.0 - attention_mask) * -6.0\n",
    ),
    # No output depends on this assertion, so a frozen graph does not have it.
    Replacement(
        _MODEL,
        "            check_embeddings_within_bounds(input_ids, self.config.vocab_size)\n",
        "",
    ),
    # An import of the package must not write into a cache below a person's home folder.
    Replacement(
        _HUB,
        "if not os.path.isfile(cache_version_file):\n    cache_version = 0\n",
        "if not os.path.isfile(cache_version_file):\n    cache_version = 1\n",
    ),
)


def place(member: str) -> str | None:
    """Returns the path in the tree of a wheel's member; None to leave it out."""
    return member if _KEPT.fullmatch(member) else None


if __name__ == "__main__":
    source_tree.run(source_tree.adapt_wheel(place, REPLACEMENTS))
