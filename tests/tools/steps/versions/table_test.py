from absl.testing import absltest

from reproducible_tflite.steps.versions import table

_FIRST = {"kind": "weights", "where": "ADD 0", "left": "1", "right": "2", "detail": "1 of 4"}
_REPORTS = [
    {
        "model": "//models/some:float",
        "converter": "toco",
        "versions": {
            "2.15.1": {"bytes": 12},
            "2.17.1": {"verdict": "same bytes", "differences": {}, "first": None},
            "1.15.5": {
                "verdict": "different",
                "differences": {"weights": 2, "name": 1},
                "first": _FIRST,
            },
        },
    },
    {
        "model": "//models/some:int8",
        "converter": "mlir",
        "versions": {
            "2.15.1": {"bytes": 345},
            "2.17.1": {
                "verdict": "same meaning",
                "differences": {"name": 3},
                "first": _FIRST | {"kind": "name", "detail": ""},
            },
            "1.15.5": {"left_out": "it has no mlir"},
        },
    },
]


class TableTest(absltest.TestCase):
    def test_cells_and_where(self):
        lines = table.render(["TensorFlow A", "TensorFlow B", "C"], _REPORTS).splitlines()
        self.assertStartsWith(lines[0], "Compared with TensorFlow A: TensorFlow B, C. ")
        self.assertEqual(
            lines[2:],
            [
                "model  converter  2.15.1     2.17.1        1.15.5",
                "float  toco       12 bytes   same bytes    different",
                "int8   mlir       345 bytes  same meaning  -",
                "",
                "float by 1.15.5, different: weights (2), name (1); first weights of ADD 0: 1 -> 2"
                " (1 of 4)",
                "int8 by 2.17.1, same meaning: name (3); first name of ADD 0: 1 -> 2",
            ],
        )

    def test_nothing_follows_the_table_when_all_are_the_same(self):
        report = {
            "model": "//a:b",
            "converter": "toco",
            "versions": {"1": {"bytes": 1}, "2": {"verdict": "same bytes", "first": None}},
        }
        self.assertLen(table.render(["1", "2"], [report]).splitlines(), 4)


if __name__ == "__main__":
    absltest.main()
