from absl.testing import absltest

from reproducible_tflite.lib.quantization_error import growth
from reproducible_tflite.lib.tflite_file import reader
from tests.tools.lib.meaning import networks
from tests.tools.lib.tflite_file import models


class GrowthTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        # t0 > t1 > t2 > t3 > t4
        self._chain = reader.read(models.pack(networks.chain(4)), "chain")

    def test_by_what_a_layer_adds(self):
        errors = {1: 0.1, 2: 0.5, 3: 0.7, 4: 0.6}
        grown = growth.by_growth(self._chain, errors, [1, 2, 3, 4])
        self.assertEqual([index for index, _ in grown], [2, 3, 1])
        self.assertAlmostEqual(grown[0][1], 0.4)

    def test_through_layers_without_an_error_of_their_own(self):
        self.assertEqual(growth.by_growth(self._chain, {1: 0.25, 4: 0.5}, [4]), [(4, 0.25)])

    def test_only_changed_layers(self):
        self.assertEqual(growth.by_growth(self._chain, {1: 0.1, 2: 0.5}, []), [])


if __name__ == "__main__":
    absltest.main()
