import tensorflow.compat.v1 as tf
from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.export import postprocessing

_WANTED = {"max_detections": 10, "use_regular_nms": True, "nms_score_threshold": 0.25}


def _graph_def(*ops):
    return tf.GraphDef(
        node=[
            tf.NodeDef(
                name=f"node_{index}",
                op=op,
                attr={
                    "max_detections": tf.AttrValue(i=10),
                    "use_regular_nms": tf.AttrValue(b=True),
                    "nms_score_threshold": tf.AttrValue(f=0.25),
                },
            )
            for index, op in enumerate(ops)
        ]
    )


class PostprocessingTest(absltest.TestCase):
    def _assert_refused(self, graph_def, expected, message):
        with self.assertRaisesRegex(
            cli.UserError, f"^x.pb: is not written, since the exporter gave {message}.$"
        ):
            postprocessing.check_attributes(graph_def, expected, "x.pb")

    def test_takes_what_was_asked_for(self):
        graph_def = _graph_def("Identity", "TFLite_Detection_PostProcess")
        postprocessing.check_attributes(graph_def, _WANTED, "x.pb")

    def test_an_attribute_that_differs_is_named_with_the_file(self):
        graph_def = _graph_def("TFLite_Detection_PostProcess")
        for name, value, written in (
            ("max_detections", 7, "10"),
            ("use_regular_nms", False, "True"),
            ("num_classes", 90, "absent"),
        ):
            with self.subTest(name):
                self._assert_refused(
                    graph_def,
                    _WANTED | {name: value},
                    f"TFLite_Detection_PostProcess the {name} {written} instead of {value}",
                )

    def test_needs_one_op(self):
        for ops in (["Identity"], ["TFLite_Detection_PostProcess"] * 2):
            count = ops.count("TFLite_Detection_PostProcess")
            self._assert_refused(
                _graph_def(*ops),
                _WANTED,
                f"the graph {count} TFLite_Detection_PostProcess ops instead of one",
            )


if __name__ == "__main__":
    absltest.main()
