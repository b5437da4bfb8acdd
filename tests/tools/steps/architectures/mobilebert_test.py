import dataclasses
import math
import sys

import numpy as np
import tensorflow.compat.v1 as tf
from absl.testing import absltest, flagsaver
from transformers.models.mobilebert.configuration_mobilebert import MobileBertConfig

from reproducible_tflite.lib.checkpoint import checkpoint, signature
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.values import weights
from reproducible_tflite.steps.architectures import mobilebert, program
from tests.tools.steps.export import program as command_line

_SIGNATURE = "third_party/checkpoints/signatures/mobilebert_float.tsv"
_LENGTH = 12
# The published model with small layers, and two of them.
_SMALL = MobileBertConfig(
    vocab_size=50,
    hidden_size=32,
    num_hidden_layers=2,
    intermediate_size=24,
    max_position_embeddings=16,
    embedding_size=8,
    intra_bottleneck_size=16,
)


def _random_values(graph: tf.Graph) -> dict[str, np.ndarray]:
    """Returns float64 values by name, large enough for every variable to matter."""
    values = {}
    for name, variable in checkpoint.graph_variables(graph).items():
        values[name] = weights.uniform(1, name, variable.shape)
        if name.endswith("kernel"):
            values[name] *= math.sqrt(2 / variable.shape[0])
        elif name.endswith("gamma"):
            values[name] = 0.7 + 0.3 * values[name]
    return values


def _inputs(tokens: int) -> dict[str, np.ndarray]:
    """Returns a sequence of `tokens` and padding; the last four tokens are a second segment."""
    position = np.arange(_LENGTH)
    return {
        "input_ids": np.where(position < tokens, 7 + 3 * position, 0)[np.newaxis],
        "input_mask": (position < tokens).astype(int)[np.newaxis],
        "segment_ids": ((position >= tokens - 4) & (position < tokens)).astype(int)[np.newaxis],
    }


@dataclasses.dataclass(frozen=True)
class _Reference:
    """MobileBERT in numpy, after its paper and google-research/mobilebert/modeling.py."""

    values: dict[str, np.ndarray]

    def dense(self, name, x):
        return x @ self.values[f"{name}/dense/kernel"] + self.values[f"{name}/dense/bias"]

    def norm(self, name, x):
        layer = f"{name}/FakeLayerNorm"
        return x * self.values[f"{layer}/gamma"] + self.values[f"{layer}/beta"]

    def embed(self, ids, segments):
        v = self.values
        words = np.pad(v["bert/embeddings/word_embeddings"][ids], ((1, 1), (0, 0)))
        trigrams = np.concatenate([words[2:], words[1:-1], words[:-2]], axis=1)
        transformation = "bert/embeddings/embedding_transformation"
        x = trigrams @ v[f"{transformation}/kernel"] + v[f"{transformation}/bias"]
        x += v["bert/embeddings/position_embeddings"][: len(ids)]
        return self.norm(
            "bert/embeddings", x + v["bert/embeddings/token_type_embeddings"][segments]
        )

    def attend(self, name, shared, values, mask):
        heads = []
        for part, x in (("query", shared), ("key", shared), ("value", values)):
            x = x @ self.values[f"{name}/{part}/kernel"] + self.values[f"{name}/{part}/bias"]
            heads.append(x.reshape(len(x), _SMALL.num_attention_heads, -1).transpose(1, 0, 2))
        query, key, value = heads
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        chances = np.exp(np.where(mask, scores, -6))
        context = chances / chances.sum(-1, keepdims=True) @ value
        return context.transpose(1, 0, 2).reshape(len(shared), -1)

    def feed_forward(self, name, x):
        hidden = np.maximum(self.dense(f"{name}/intermediate", x), 0)
        return self.norm(f"{name}/output", self.dense(f"{name}/output", hidden) + x)

    def layer(self, name, x, mask):
        narrow, shared = (
            self.norm(f"{name}/bottleneck/{part}", self.dense(f"{name}/bottleneck/{part}", x))
            for part in ("input", "attention")
        )
        context = self.attend(f"{name}/attention/self", shared, x, mask)
        output = f"{name}/attention/output"
        y = self.norm(output, self.dense(output, context) + narrow)
        for number in range(3):
            y = self.feed_forward(f"{name}/ffn_layer_{number}", y)
        output = f"{name}/output/bottleneck"
        return self.norm(output, self.dense(output, self.feed_forward(name, y)) + x)

    def logits(self, input_ids, input_mask, segment_ids):
        x = self.embed(input_ids[0], segment_ids[0])
        for number in range(_SMALL.num_hidden_layers):
            x = self.layer(f"bert/encoder/layer_{number}", x, input_mask[0] == 1)
        return x @ self.values["cls/squad/output_weights"].T + self.values["cls/squad/output_bias"]


class MobileBertTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.graph = mobilebert.build(_SMALL, 1, _LENGTH)
        cls.values = _random_values(cls.graph)
        cls.frozen = program.freeze(cls.graph, cls.values, mobilebert.OUTPUTS)

    def _run(self, inputs):
        with tf.Graph().as_default():
            tf.import_graph_def(self.frozen, name="")
            with tf.Session() as session:
                return session.run(
                    ["start_logits:0", "end_logits:0"],
                    {f"{name}:0": value for name, value in inputs.items()},
                )

    def test_computes_what_the_paper_says(self):
        for tokens in (_LENGTH, 9):
            with self.subTest(tokens):
                inputs = _inputs(tokens)
                expected = _Reference(self.values).logits(**inputs)
                start, end = self._run(inputs)
                tolerance = 1e-4 * abs(expected).max()
                np.testing.assert_allclose(start[0], expected[:, 0], atol=tolerance)
                np.testing.assert_allclose(end[0], expected[:, 1], atol=tolerance)

    def test_variables_have_the_genuine_names(self):
        variables = set(checkpoint.graph_variables(self.graph))
        genuine = {
            name
            for name in signature.read(_SIGNATURE)
            if "/layer_" not in name or "/layer_0/" in name or "/layer_1/" in name
        }
        self.assertEqual(variables, genuine)
        self.assertTrue(any("/ffn_layer_2/" in name for name in genuine))

    def test_every_variable_is_used_once(self):
        nodes = {node.name: node for node in self.frozen.node}
        readers: dict[str, int] = dict.fromkeys(self.values, 0)
        del readers["global_step"]
        for node in self.frozen.node:
            # A variable is read through an identity.
            if node.op != "Identity":
                for source in node.input:
                    while nodes[source].op == "Identity":
                        (source,) = nodes[source].input
                    if source in readers:
                        readers[source] += 1
        self.assertEqual(set(readers.values()), {1})
        for name in readers:
            stored = tf.make_ndarray(nodes[name].attr["value"].tensor)
            np.testing.assert_array_equal(stored, self.values[name].astype(np.float32))

    def test_the_graph_has_the_published_ends_and_only_plain_operations(self):
        placeholders = {
            n.name: n.attr["dtype"].type for n in self.frozen.node if n.op == "Placeholder"
        }
        self.assertEqual(placeholders, dict.fromkeys(mobilebert.INPUTS, tf.int32.as_datatype_enum))
        self.assertEmpty(self.frozen.library.function)
        self.assertFalse([n.name for n in self.frozen.node if n.op in ("Assert", "VarHandleOp")])
        for name in mobilebert.OUTPUTS:
            self.assertEqual(self.graph.get_tensor_by_name(f"{name}:0").shape, [1, _LENGTH])

    def test_the_genuine_sizes_are_the_default(self):
        with flagsaver.flagsaver(sequence_length=128):
            code = mobilebert.graph_code()
        self.assertEqual((code.width, code.input), (128, None))
        # One layer is enough: the others are alike, and building all takes seconds.
        genuine = {
            name: tensor.variable
            for name, tensor in signature.read(_SIGNATURE).items()
            if "/layer_" not in name or "/layer_0/" in name
        }
        graph = mobilebert.build(MobileBertConfig(num_hidden_layers=1), 1, 8)
        self.assertEqual(checkpoint.graph_variables(graph), genuine)
        self.assertEqual(MobileBertConfig().num_hidden_layers, 24)

    def test_contrib_quantize_is_refused(self):
        with (
            flagsaver.flagsaver(quantize=True),
            self.assertRaisesRegex(cli.UserError, "^--quantize: "),
        ):
            mobilebert.graph_code()

    def test_pictures_are_refused(self):
        result = command_line.run(
            "tools/steps/architectures/mobilebert.py",
            mode="seed",
            seed=1,
            preprocessing="identity",
            output=self.create_tempdir().full_path + "/model.ckpt",
        )
        self.assertEqual(result.returncode, 1)
        self.assertIn("ERROR: --preprocessing=identity: MobileBERT takes tokens", result.stderr)


if __name__ == "__main__":
    # The program's own flags are required where it runs.
    sys.argv += ["--mode=export", "--output=x"]
    absltest.main()
