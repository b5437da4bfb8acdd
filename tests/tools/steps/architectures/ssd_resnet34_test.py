import sys

import numpy as np
import tensorflow.compat.v1 as tf
from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.architectures import default_boxes, ssd_resnet34
from tests.tools.steps.architectures import graphs
from tests.tools.steps.export import program

_BOXES = [feature_map.boxes for feature_map in default_boxes.FEATURE_MAPS]


def _rectified(block):
    return f"{block}/{block}_relu2/{block}_relu2"


class SsdResnet34Test(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.graph = ssd_resnet34.build(1, 1200, 1200)

    def test_parameters(self):
        # ResNet34's table without conv5_x and the classifier; a projection per stage that widens.
        backbone = 7 * 7 * 3 * 64 + 9 * (
            6 * 64 * 64 + (64 * 128 + 7 * 128 * 128) + (128 * 256 + 11 * 256 * 256)
        )
        backbone += 64 * 128 + 128 * 256
        # Channels before, inside and after each pair of convolutions.
        pairs = [(256, 256, 512), (512, 256, 512), (512, 128, 256)] + 2 * [(256, 128, 256)]
        additional = sum(a * b + 9 * b * c for a, b, c in pairs)
        maps = [256, 512, 512, 256, 256, 256]
        heads = sum(9 * channels * n * 85 for channels, n in zip(maps, _BOXES, strict=True))
        normalised = 64 * 7 + 128 * 9 + 256 * 13
        biases = sum(b + c for _, b, c in pairs) + sum(n * 85 for n in _BOXES)
        counts = graphs.parameters(self.graph)
        self.assertEqual(
            counts,
            {
                "kernel": backbone + additional + heads,
                "bias": biases,
                "gamma": normalised,
                "beta": normalised,
                "moving_mean": normalised,
                "moving_variance": normalised,
            },
        )
        self.assertEqual(sum(counts.values()), 19_982_390)

    def test_work_is_as_published(self):
        # Vitis AI's model zoo states 433 G operations for the published graph.
        self.assertAlmostEqual(2 * graphs.multiplications(self.graph) / 433e9, 1, delta=0.001)

    def test_has_the_published_names(self):
        nodes = {operation.name for operation in self.graph.get_operations()}
        self.assertContainsSubset(
            {
                "image",
                "ssd1200/conv1/conv1_1/Conv2D",
                "ssd1200/conv1/conv1_bn1/FusedBatchNorm",
                "ssd1200/conv1/conv1_relu1/conv1_relu1",
                "ssd1200/pool1/MaxPool",
                "ssd1200/stage1_residul_block3/stage1_residul_block3_bn2/FusedBatchNorm",
                "ssd1200/stage2_downsample/stage2_downsample_1/Conv2D",
                "ssd1200/stage2_downsample/stage2_downsample_bn1/FusedBatchNorm",
                "ssd1200/stage2_residul_block1_1/stage2_residul_block1_1_1/Conv2D",
                "ssd1200/stage2_residul_block1_2/stage2_residul_block1_2_bn1/FusedBatchNorm",
                "ssd1200/stage3_downsample/stage3_downsample_1/Conv2D",
                "ssd1200/stage3_residul_block1/stage3_residul_block1_1/Conv2D",
                "ssd1200/stage3_residul_block6/stage3_residul_block6_2/Conv2D",
                "ssd1200/add_12",
                "ssd1200/additional_layers/conv11/conv11_2/Relu",
                "ssd1200/concat",
                "ssd1200/concat_1",
                "ssd1200/py_cls_pred",
                "ssd1200/py_location_pred",
                *(f"ssd1200/multibox_head/cls_{index}/BiasAdd" for index in range(6)),
                *(f"ssd1200/multibox_head/loc_{index}/BiasAdd" for index in range(6)),
            },
            nodes,
        )
        self.assertNotIn("ssd1200/stage1_downsample/stage1_downsample_1/Conv2D", nodes)
        self.assertNotIn("ssd1200/add_13", nodes)

    def test_maps_have_the_published_sizes(self):
        for name, side, channels in (
            ("conv1/conv1_relu1/conv1_relu1", 600, 64),
            ("pool1/MaxPool", 300, 64),
            (_rectified("stage1_residul_block3"), 300, 64),
            (_rectified("stage2_residul_block4"), 150, 128),
            (_rectified("stage3_residul_block6"), 150, 256),
            ("additional_layers/conv7/conv7_2/Relu", 75, 512),
            ("additional_layers/conv8/conv8_2/Relu", 38, 512),
            ("additional_layers/conv9/conv9_2/Relu", 19, 256),
            ("additional_layers/conv10/conv10_2/Relu", 9, 256),
            ("additional_layers/conv11/conv11_2/Relu", 7, 256),
            ("multibox_head/cls_0/BiasAdd", 50, 324),
            ("multibox_head/cls_1/BiasAdd", 25, 486),
            ("multibox_head/cls_2/BiasAdd", 13, 486),
            ("multibox_head/cls_3/BiasAdd", 7, 486),
            ("multibox_head/cls_4/BiasAdd", 3, 324),
            ("multibox_head/cls_5/BiasAdd", 3, 324),
            ("multibox_head/loc_0/BiasAdd", 50, 16),
            ("multibox_head/loc_3/BiasAdd", 7, 24),
            ("multibox_head/loc_5/BiasAdd", 3, 16),
        ):
            with self.subTest(name):
                self.assertEqual(
                    graphs.shape(self.graph, f"ssd1200/{name}"), [1, side, side, channels]
                )

    def test_outputs(self):
        for name, shape in (
            ("ssd1200/py_cls_pred", [1, 81, 15130]),
            ("ssd1200/py_location_pred", [1, 4, 15130]),
            (ssd_resnet34.CLASS_LOGITS, [1, 15130, 81]),
            (ssd_resnet34.BOX_ENCODINGS, [1, 15130, 4]),
            ("raw_outputs/class_predictions", [1, 15130, 81]),
            ("raw_outputs/box_encodings", [1, 15130, 4]),
            ("anchors", [15130, 4]),
        ):
            with self.subTest(name):
                self.assertEqual(graphs.shape(self.graph, name), shape)

    def test_strides(self):
        heads = [f"multibox_head/{kind}_{n}" for n in range(6) for kind in ("cls", "loc")]
        halving = [
            "conv1/conv1_1",
            "stage2_downsample/stage2_downsample_1",
            "stage2_residul_block1_1/stage2_residul_block1_1_1",
            *(f"additional_layers/conv{n}/conv{n}_2" for n in (7, 8, 9, 10)),
        ]
        self.assertEqual(
            graphs.strided(self.graph),
            {f"ssd1200/{name}/Conv2D": 2 for name in halving}
            | {f"ssd1200/{name}/Conv2D": 3 for name in heads},
        )

    def test_predictions_are_in_the_order_of_the_default_boxes(self):
        graph = ssd_resnet34.build(1, 400, 400)
        cells = [graphs.shape(graph, f"ssd1200/multibox_head/loc_{n}/BiasAdd")[1] for n in range(6)]
        # Without kernels a head gives its biases: the channels' numbers, by value, then by shape.
        with graph.as_default(), tf.Session() as session:
            for variable in tf.global_variables():
                count = variable.shape.as_list()[0]
                is_bias = "multibox_head" in variable.op.name and variable.op.name.endswith("bias")
                values = np.arange(count) if is_bias else np.zeros(variable.shape.as_list())
                variable.load(values, session)
            boxes, logits, swapped, scores = session.run(
                [
                    "ssd1200/box_encodings:0",
                    "ssd1200/class_logits:0",
                    "raw_outputs/box_encodings:0",
                    "raw_outputs/class_predictions:0",
                ],
                {"image:0": np.zeros([1, 400, 400, 3])},
            )
        shapes = np.concatenate(
            [np.repeat(np.arange(n), side**2) for n, side in zip(_BOXES, cells, strict=True)]
        )
        steps = np.concatenate(
            [np.full(n * side**2, n) for n, side in zip(_BOXES, cells, strict=True)]
        )
        for array, values in ((boxes, 4), (logits, 81)):
            np.testing.assert_array_equal(
                array[0], shapes[:, None] + steps[:, None] * np.arange(values)
            )
        # x, y, width, height become y, x, height, width.
        np.testing.assert_array_equal(swapped, boxes[..., [1, 0, 3, 2]])
        np.testing.assert_allclose(scores.sum(axis=2), 1, rtol=1e-5)
        np.testing.assert_allclose(np.log(scores[0, :, 80] / scores[0, :, 79]), steps, rtol=1e-5)


class AddPostProcessingTest(absltest.TestCase):
    def test_gives_the_op_what_was_asked_for(self):
        inputs = ["raw_outputs/box_encodings", "raw_outputs/class_predictions", "anchors"]
        outputs = [ssd_resnet34.BOX_ENCODINGS, ssd_resnet34.CLASS_LOGITS]
        nodes = [tf.NodeDef(name=name, op="Placeholder") for name in (*inputs, *outputs, "unused")]
        graph_def = ssd_resnet34.add_post_processing(
            tf.GraphDef(node=nodes),
            score_threshold=0.25,
            iou_threshold=0.5,
            max_detections=7,
            use_regular_nms=True,
        )
        self.assertEqual(
            {node.name for node in graph_def.node}, {*inputs, *outputs, ssd_resnet34.DETECTIONS}
        )
        node = next(node for node in graph_def.node if node.name == ssd_resnet34.DETECTIONS)
        self.assertEqual(node.op, "TFLite_Detection_PostProcess")
        self.assertEqual(list(node.input), inputs)
        for name, expected in {
            "nms_score_threshold": 0.25,
            "nms_iou_threshold": 0.5,
            "max_detections": 7,
            "detections_per_class": 7,
            "max_classes_per_detection": 1,
            "use_regular_nms": True,
            "num_classes": 80,
            "x_scale": 10,
            "y_scale": 10,
            "h_scale": 5,
            "w_scale": 5,
        }.items():
            with self.subTest(name):
                attribute = node.attr[name]
                self.assertEqual(getattr(attribute, attribute.WhichOneof("value")), expected)


class SeededValueTest(absltest.TestCase):
    def test_class_kernels_favour_no_class(self):
        shape = (3, 3, 256, 324)
        kernel = ssd_resnet34.seeded_value(1, "ssd1200/multibox_head/cls_0/kernel", shape)
        np.testing.assert_allclose(kernel.sum(axis=(0, 1, 2)), 0, atol=1e-3)

    def test_background_is_what_most_boxes_show(self):
        for index, boxes in enumerate(_BOXES):
            name = f"ssd1200/multibox_head/cls_{index}/bias"
            biases = ssd_resnet34.seeded_value(1, name, (81 * boxes,)).reshape(81, boxes)
            np.testing.assert_allclose(biases[0], 8, atol=0.126)
            np.testing.assert_allclose(biases[1:], 0, atol=0.126)

    def test_rectified_layers_keep_the_variance(self):
        name = "ssd1200/additional_layers/conv7/conv7_2/kernel"
        kernel = ssd_resnet34.seeded_value(1, name, (3, 3, 256, 512))
        self.assertAlmostEqual(kernel.var() * 9 * 256, 2, delta=0.01)

    def test_leaves_others_to_the_general_rule(self):
        for name, shape in (
            ("ssd1200/conv1/conv1_1/kernel", (7, 7, 3, 64)),
            ("ssd1200/multibox_head/loc_0/kernel", (3, 3, 256, 16)),
        ):
            self.assertIsNone(ssd_resnet34.seeded_value(1, name, shape))


class FlagsTest(absltest.TestCase):
    def test_cannot_be_quantized(self):
        with self.assertRaisesRegex(cli.UserError, "^--quantize: "):
            ssd_resnet34.graph_code().build(1, 1200, 1200, True)

    def test_refuses_numbers_out_of_range(self):
        result = program.run(
            "tools/steps/architectures/ssd_resnet34.py",
            mode="export",
            checkpoint="unused",
            output="unused",
            iou_threshold=1.5,
        )
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("--iou_threshold=1.5", result.stderr)


if __name__ == "__main__":
    # The program's flags are read with the test's, and these two are required.
    sys.argv += ["--mode=export", "--output=unused"]
    absltest.main()
