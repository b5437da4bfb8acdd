from absl.testing import absltest, parameterized

from reproducible_tflite.docs import build_files
from reproducible_tflite.lib.cli import cli

_BUILD = """
load("//tools/tflite:defs.bzl", "checkpoint", "frozen_graph", "tflite_model")
load("//tools/tflite:defs.bzl", "released_frozen_graph", "saved_model", "weights_choice")

package(default_visibility = ["//visibility:public"])

[checkpoint(
    name = name + ".checkpoint",
    archive = "@reproducible_tflite_released_{}//:archive".format(name) if name == "net" else None,
    member = "fp32/model.ckpt",
) for name in ["net", "unpublished"]]

[frozen_graph(
    name = name + ".graph",
    checkpoint = ":{}.checkpoint".format(name),
) for name in ["net", "unpublished"]]

released_frozen_graph(
    name = "graph.released",
    archive = "@reproducible_tflite_released_graph//:archive",
    arrays = ["input", "scores"],
    member = "graph.pb",
)

weights_choice(
    name = "graph",
    released = ":graph.released",
    seeded = ":net.graph",
)

saved_model(
    name = "saved.graph",
    released_as = "widget 1.2",
)

[tflite_model(
    name = name,
    graph = graph,
    input_arrays = ["input"],
    output_arrays = [output],
) for name, graph, output in [
    ("of_checkpoint", "net.graph", "scores"),
    ("of_nothing", ":unpublished.graph", "scores"),
    ("of_graph", ":graph", "scores"),
    ("cut_elsewhere", ":graph", "boxes"),
    ("of_saved_model", ":saved.graph", "scores"),
]]
"""


class BuildFilesTest(parameterized.TestCase):
    def _read(self, text):
        return build_files.read(self.create_tempfile(content=text).full_path)

    @parameterized.parameters(
        ("of_checkpoint", build_files.Published("net", "fp32/model.ckpt")),
        ("of_nothing", None),
        ("of_graph", build_files.Published("graph", "graph.pb")),
        ("cut_elsewhere", None),
        ("of_saved_model", build_files.Published(None, "widget 1.2")),
    )
    def test_what_a_model_is_built_from(self, model, expected):
        self.assertEqual(build_files.published(self._read(_BUILD), model), expected)

    def test_targets_keep_what_they_were_given(self):
        targets = self._read('load("x.bzl", "rule")\nrule(name = "a", size = 2)\n')
        self.assertEqual(targets, {"a": build_files.Target("rule", {"size": 2})})

    @parameterized.parameters(
        ('rule(name = "a")\n', "name 'rule' is not defined"),
        ('load("x.bzl", "rule")\nrule(name = \n', "was never closed"),
        ("import os\n", "__import__ not found"),
    )
    def test_what_it_cannot_read(self, text, reason):
        with self.assertRaisesRegex(cli.UserError, f"cannot be read as Python: .*{reason}"):
            self._read(text)


if __name__ == "__main__":
    absltest.main()
