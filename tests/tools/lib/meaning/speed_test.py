"""A comparison takes time in proportion to the models' sizes, whatever their form."""

import time

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.meaning import networks
from tests.tools.lib.tflite_file import models

_Op = tflite.BuiltinOperator
# In seconds of the processor. Each comparison takes few; with a square of its steps, far more.
_MOST = 15


def _finished(maker: models.Maker, inputs: list[int], outputs: list[int]) -> tflite.ModelT:
    maker.graph.inputs, maker.graph.outputs = np.array(inputs, "i4"), np.array(outputs, "i4")
    return maker.model


def _wide(count: int) -> tflite.ModelT:
    """One operator with `count` results, which another one reads."""
    maker = models.Maker()
    x, y = maker.tensor("x", [4]), maker.tensor("y", [4])
    parts = [maker.tensor(f"part{number} of {count}", [4]) for number in range(count)]
    maker.operator(_Op.SPLIT, [x], parts)
    maker.operator(_Op.CONCATENATION, parts, [y])
    return _finished(maker, [x], [y])


def _layered(count: int, is_changed: bool) -> tflite.ModelT:
    """A chain of operators with constants of their own, every second of which may be changed."""
    maker = models.Maker()
    inputs = [maker.tensor("x", [4])]
    last = inputs[0]
    for number in range(count):
        is_other = is_changed and number % 2 == 0
        constant = maker.tensor("c", [4], np.full(4, number + is_other / 2, np.float32))
        result = maker.tensor(f"y{number}", [4])
        maker.operator(_Op.MUL if is_other else _Op.ADD, [last, constant], [result])
        last = result
    return _finished(maker, inputs, [last])


def _chains(count: int, name: str) -> tflite.ModelT:
    """Equal chains of two operators from one input; nothing needs any but the first."""
    maker = models.Maker()
    x = maker.tensor("x", [4])
    for number in range(count):
        inner, end = (maker.tensor(f"{name}{number} {part}", [4]) for part in ("inner", "end"))
        maker.operator(_Op.RELU, [x], [inner])
        maker.operator(_Op.RELU, [inner], [end])
    return _finished(maker, [x], [2])


def _with_inputs(count: int, is_reversed: bool) -> tflite.ModelT:
    """An operator that reads `count` inputs, which a signature names."""
    maker = models.Maker()
    inputs = [maker.tensor(f"x{number}", [4]) for number in range(count)]
    y = maker.tensor("y", [4])
    maker.operator(_Op.CONCATENATION, inputs, [y])
    maker.signature("serve", {f"x{index}": index for index in inputs}, {"y": y})
    return _finished(maker, inputs[::-1] if is_reversed else inputs, [y])


class SpeedTest(absltest.TestCase):
    def _compare(self, left: tflite.ModelT, right: tflite.ModelT) -> comparison.Comparison:
        """Compares two models in the time that is allowed."""
        packed = models.pack(left), models.pack(right)
        start = time.process_time()
        compared = comparison.compare(*packed)
        self.assertLess(time.process_time() - start, _MOST)
        return compared

    def _count(self, compared: comparison.Comparison, kind: str) -> int:
        return len([d for d in compared.differences if d.kind == kind])

    def test_thousands_of_equal_operators(self):
        compared = self._compare(networks.chain(4000), networks.chain(4100))
        self.assertEqual(self._count(compared, "operator added"), 100)

    def test_an_operator_with_thousands_of_results(self):
        compared = self._compare(_wide(4000), _wide(4001))
        self.assertEqual(self._count(compared, "operands"), 2)

    def test_thousands_of_operators_of_which_every_second_is_changed(self):
        compared = self._compare(_layered(4000, False), _layered(4000, True))
        self.assertEqual(self._count(compared, "operator changed"), 2000)
        self.assertEqual(self._count(compared, "weights"), 2000)

    def test_thousands_of_equal_chains(self):
        compared = self._compare(_chains(3000, "left"), _chains(3000, "right"))
        self.assertEqual(compared.verdict, "same meaning")
        self.assertEqual({d.kind for d in compared.differences}, {"name"})

    def test_thousands_of_inputs_in_another_order(self):
        compared = self._compare(_with_inputs(20_000, False), _with_inputs(20_000, True))
        self.assertEqual([d.kind for d in compared.differences], ["input order"])


if __name__ == "__main__":
    absltest.main()
