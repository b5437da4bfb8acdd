"""MobileBERT with SQuAD's heads, as google-research/mobilebert exports it.

Sun et al., "MobileBERT: a compact task-agnostic BERT for resource-limited devices", 2020. The
encoder comes from transformers (third_party/transformers), with the variable names of Google's
checkpoints. The heads are those of create_model in google-research's run_squad.py.
"""

import re
from typing import Any

import tensorflow.compat.v1 as tf
from absl import flags
from transformers.models.mobilebert import configuration_mobilebert, modeling_tf_mobilebert

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.architectures import mobilebert_weights, program

_SEQUENCE_LENGTH = flags.DEFINE_integer(
    "sequence_length", 384, "How many tokens the model takes.", lower_bound=1, upper_bound=512
)

INPUTS = ("input_ids", "input_mask", "segment_ids")
# In the order of the published files.
OUTPUTS = ("end_logits", "start_logits")

# From transformers' names to those of Google's checkpoints, as in transformers'
# load_tf_weights_in_mobilebert, except for the embeddings, which have PyTorch's names there.
_RENAMED = (
    (r"_embeddings/(?:weight|embeddings)$", "_embeddings"),
    (r"/layer_\._", "/layer_"),
    (r"/ffn\.", "/ffn_layer_"),
    (r"/LayerNorm/weight$", "/FakeLayerNorm/gamma"),
    (r"/LayerNorm/bias$", "/FakeLayerNorm/beta"),
)


def checkpoint_name(name: str) -> str:
    """Returns the name in Google's checkpoints of a variable of transformers' encoder."""
    for pattern, replacement in _RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def _genuine_variable(next_creator: Any, **kwargs: Any) -> tf.Variable:
    """Creates a Keras layer's variable as a plain variable under its genuine name."""
    name = checkpoint_name(f"{tf.get_default_graph().get_name_scope()}/{kwargs['name']}")
    with tf.name_scope(None):
        # The trailing slash keeps the name unchanged even if a scope has the same name.
        return next_creator(**kwargs | {"name": name + "/", "use_resource": False})


# Autograph would double the time, and nothing in the layers needs it.
@tf.autograph.experimental.do_not_convert
def build(config: configuration_mobilebert.MobileBertConfig, batch: int, length: int) -> tf.Graph:
    """Builds the inference graph.

    Returns:
      A graph from the placeholders INPUTS, int32 [batch, length], to the nodes OUTPUTS, float32
      [batch, length]. A token with an input_mask of 0 is padding.
    """
    with tf.Graph().as_default() as graph:
        ids, mask, segments = (tf.placeholder(tf.int32, [batch, length], n) for n in INPUTS)
        encoder = modeling_tf_mobilebert.TFMobileBertMainLayer(
            config, add_pooling_layer=False, name="bert"
        )
        with tf.variable_creator_scope(_genuine_variable):
            hidden = encoder(ids, attention_mask=mask, token_type_ids=segments).last_hidden_state
        with tf.variable_scope("cls/squad", use_resource=False):
            weights = tf.get_variable("output_weights", [2, config.hidden_size])
            bias = tf.get_variable("output_bias", [2])
        logits = tf.matmul(tf.reshape(hidden, [-1, config.hidden_size]), weights, transpose_b=True)
        logits = tf.reshape(tf.nn.bias_add(logits, bias), [batch, length, 2])
        start, end = tf.unstack(tf.transpose(logits, [2, 0, 1]))
        tf.identity(start, "start_logits")
        tf.identity(end, "end_logits")
        tf.train.get_or_create_global_step()
    return graph


def graph_code() -> program.GraphCode:
    """Returns the graph code of the published model, uncased_L-24_H-128_B-512_A-4_F-4_OPT.

    Raises:
      UserError: --quantize is given.
    """
    if flags.FLAGS.quantize:
        raise cli.UserError(
            "--quantize: contrib.quantize does not know MobileBERT's layers; quantize its graph"
            " with a representative dataset."
        )
    # The defaults are this model's configuration.
    config = configuration_mobilebert.MobileBertConfig()
    return program.GraphCode(
        source="MobileBERT",
        build=lambda batch, height, width, quantize: build(config, batch, width),
        input=None,
        outputs=OUTPUTS,
        height=1,
        width=_SEQUENCE_LENGTH.value,
        seeded_value=mobilebert_weights.seeded_value,
    )


if __name__ == "__main__":
    program.run(graph_code)
