from absl.testing import absltest, parameterized
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reproducible_tflite.lib.page import kinds, text
from reproducible_tflite.steps.card import charts, treemap


class TreemapTest(absltest.TestCase):
    # A busy machine draws slowly.
    @settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.integers(1, 10**9), min_size=1, max_size=30))
    def test_tiles_fill_the_map_and_never_meet(self, sizes):
        sizes.sort(reverse=True)
        tiles = treemap.squarify(sizes, 200, 100)
        unit = 200 * 100 / sum(sizes)
        for size, tile in zip(sizes, tiles, strict=True):
            self.assertAlmostEqual(tile.width * tile.height, size * unit, places=3)
            self.assertGreaterEqual(min(tile.x, tile.y), -1e-6)
            self.assertLessEqual(tile.x + tile.width, 200 + 1e-6)
            self.assertLessEqual(tile.y + tile.height, 100 + 1e-6)
        for place, tile in enumerate(tiles):
            for other in tiles[:place]:
                wide = min(tile.x + tile.width, other.x + other.width) - max(tile.x, other.x)
                high = min(tile.y + tile.height, other.y + other.height) - max(tile.y, other.y)
                self.assertLess(min(wide, high), 1e-6)

    def test_nothing(self):
        self.assertEqual(treemap.squarify([], 200, 100), [])


class ChartsTest(parameterized.TestCase):
    def test_small_layers_share_a_tile(self):
        layers = [{"name": f"l{n}", "operator": "CONV_2D", "size": 10} for n in range(200)]
        tiles = charts.tiles(layers, str)
        self.assertLen(tiles, 81)
        self.assertStartsWith(tiles[0].title, "120 smaller layers")

    def test_names_lose_what_all_have(self):
        self.assertEqual(charts.name_lines("a/block_1/conv/BiasAdd", 12, 1), ("block_1/conv",))
        self.assertEqual(charts.name_lines("a/block_1/conv", 8, 2), ("block_1/", "conv"))
        self.assertEqual(charts.name_lines("a_very_long_name", 6, 2), ("a_ver…",))
        self.assertEqual(charts.name_lines("BiasAdd", 9, 1), ("BiasAdd",))
        self.assertEqual(charts.name_lines("a/one;b/two", 9, 1), ("a/one",))

    def test_a_histogram_shows_what_is_there(self):
        self.assertEqual(charts.histogram_path((1000, 0, 1)), "M0 32V0h42V32h42V31h42V32z")
        self.assertEqual(charts.histogram_path(()), "M0 32V32z")

    def test_an_axis_holds_all_ranges_and_zero(self):
        axis = charts.axis([(0.0, 6.0), (2.0, 50.0)])
        self.assertEqual((axis.at(0), axis.at(50)), (0.0, 240.0))
        self.assertLess(axis.at(1), axis.at(10))
        self.assertEqual([value for _, value in axis.marks], [0, 1, 10])
        self.assertEqual(charts.axis([]).at(0), 0.0)

    def test_sparks(self):
        self.assertEqual(charts.spark([]), [0] * 24)
        self.assertEqual(charts.spark([1, 48])[::12], [1, 24])


class TextTest(parameterized.TestCase):
    @parameterized.parameters(
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.00 kB"),
        (127472, "127 kB"),
        (999499, "999 kB"),
        (999500, "1.00 MB"),
        (16567808, "16.6 MB"),
        (5 * 10**12, "5000 GB"),
    )
    def test_size(self, value, expected):
        self.assertEqual(text.size(value), expected)

    @parameterized.parameters((0, "0"), (999, "999"), (4129903, "4.13 M"), (25557032, "25.6 M"))
    def test_count(self, value, expected):
        self.assertEqual(text.count(value), expected)

    @parameterized.parameters((0.0, "0.00 %"), (1e-7, "< 0.01 %"), (0.0123, "1.23 %"))
    def test_share(self, value, expected):
        self.assertEqual(text.share(value), expected)

    def test_joined_names(self):
        self.assertEqual(text.layer("a;b;c"), "a (+2)")
        self.assertEqual(text.layer(";"), ";")
        self.assertEqual(text.layer("a"), "a")

    def test_breakable_text_is_escaped(self):
        self.assertEqual(text.breakable("a/b_<i>"), "a/<wbr>b_&lt;<wbr>i&gt;")

    def test_shape(self):
        # Nothing breaks there.
        self.assertEqual(text.shape([1, -1, 3]).replace("\xa0", " "), "1 × any × 3")
        self.assertEqual(text.shape([]), "not stated")


class KindsTest(absltest.TestCase):
    def test_groups(self):
        self.assertEqual(kinds.of("CONV_2D"), "convolution")
        self.assertEqual(kinds.of("DEPTHWISE_CONV_2D"), "depthwise convolution")
        self.assertEqual(kinds.of("STRIDED_SLICE"), "data movement")
        self.assertEqual(kinds.of("<script>"), "others")


if __name__ == "__main__":
    absltest.main()
