import json
import pathlib

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.tflite_file.schema import tflite
from reproducible_tflite.steps.ethos_u import ethos_u
from tests.tools.lib.meaning import networks
from tests.tools.lib.tflite_file import models
from tests.tools.steps.export import program

_Op = tflite.BuiltinOperator
_LOG = """\
Warning: something else
Warning (supported operators) operator: CUSTOM, ofm: 'a, ofm: 'b''
Reason: Unsupported opType

Warning (supported operators) operator: RELU, ofm: 'x'
Network summary for net
"""


def _model(second: int, custom: str = "") -> bytes:
    """Two operators of int8: a maximum, and `second`."""
    maker = models.Maker()
    a, b, c = (maker.tensor(x, [1, 8, 8, 16], kind=tflite.TensorType.INT8) for x in "abc")
    for index in (a, b, c):
        maker.graph.tensors[index].quantization = networks.quantization([0.5], [3])
    maximum = maker.operator(_Op.MAXIMUM, [a, a], [b])
    maximum.builtinOptionsType = tflite.BuiltinOptions.MaximumMinimumOptions
    maximum.builtinOptions = tflite.MaximumMinimumOptionsT()
    maker.operator(second, [b], [c], custom)
    maker.graph.inputs, maker.graph.outputs = np.array([a]), np.array([c])
    return models.pack(maker.model)


class EthosUTest(absltest.TestCase):
    def _write(self, content, accelerator="ethos-u55-128"):
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        (self.folder / "x.tflite").write_bytes(content)
        return program.run(
            "tools/steps/ethos_u/write_ethos_u.py",
            model=self.folder / "x.tflite",
            accelerator=accelerator,
            output=self.folder / "x.json",
        )

    def _document(self, content, **flags):
        result = self._write(content, **flags)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return json.loads((self.folder / "x.json").read_text())

    def test_all_on_the_npu(self):
        for accelerator in ("ethos-u55-128", "ethos-u85-256"):
            document = self._document(_model(_Op.RELU), accelerator=accelerator)
            self.assertEqual((document["count"], document["cpu"], document["reasons"]), (2, {}, []))
            self.assertGreater(document["estimates"]["cycles"], 0)
            self.assertEqual(document["accelerator"], accelerator)
            self.assertRegex(document["said_by"], r"^Vela \d+\.\d+")

    def test_one_on_the_cpu(self):
        document = self._document(_model(_Op.CUSTOM, "Mine"))
        self.assertEqual((document["count"], document["cpu"]), (2, {"Mine": 1}))
        (reason,) = document["reasons"]
        self.assertEqual((reason["operator"], reason["output"]), ("CUSTOM", "c"))

    def test_all_on_the_cpu(self):
        document = self._document(models.pack(models.layered()))
        self.assertIn("FULLY_CONNECTED", document["cpu"])
        self.assertEqual(document["estimates"], {})

    def test_what_vela_prints(self):
        self.assertEqual(
            ethos_u.refusals(_LOG),
            [
                {"operator": "CUSTOM", "output": "a, ofm: 'b'", "reason": "Unsupported opType"},
                {"operator": "RELU", "output": "x", "reason": ""},
            ],
        )

    def test_its_summary(self):
        self.assertEqual(
            ethos_u.figures("nn_macs,cycles_total,sram_memory_used,x\n12,34.0,5.5,7\n"),
            {"cycles": 34, "multiplications": 12, "sram_kib": 5.5},
        )

    def test_what_vela_refuses(self):
        result = self._write(_model(_Op.RELU), "ethos-u55-7")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"x.tflite: Vela does not compile it: .*invalid choice")
        self.assertFalse((self.folder / "x.json").exists())


if __name__ == "__main__":
    absltest.main()
