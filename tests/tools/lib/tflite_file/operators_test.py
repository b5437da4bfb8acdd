from absl.testing import absltest
from hypothesis import given, settings
from hypothesis import strategies as st

from reproducible_tflite.lib.tflite_file import operators


def _operator(inputs, outputs, pinned=False):
    return operators.Operator(inputs, outputs, pinned, key=outputs)


@st.composite
def _graphs(draw):
    """Operators in a valid order; operator i writes tensor 100 + i and reads earlier ones."""
    count = draw(st.integers(1, 12))
    nodes = [
        _operator(
            draw(st.lists(st.sampled_from([0, 1, *range(100, 100 + i)]), max_size=3)), [100 + i]
        )
        for i in range(count)
    ]
    outputs = draw(st.lists(st.integers(100, 99 + count), unique=True, max_size=3))
    return nodes, outputs


def _valid_order(nodes, data):
    """Returns another order of the same operators in which inputs come first."""
    order, waiting = [], list(nodes)
    while waiting:
        missing = {operator.outputs[0] for operator in waiting}
        ready = [operator for operator in waiting if missing.isdisjoint(operator.inputs)]
        chosen = data.draw(st.sampled_from(ready))
        waiting.remove(chosen)
        order.append(chosen)
    return order


class CanonicalOrderTest(absltest.TestCase):
    @settings(max_examples=100, deadline=None, derandomize=True, database=None)
    @given(_graphs(), st.data())
    def test_order_is_valid_and_depends_on_the_graph_alone(self, graph, data):
        nodes, outputs = graph
        order = [nodes[i] for i in operators.canonical_order(nodes, [0, 1], outputs, [])]
        self.assertCountEqual(order, nodes)
        done = {0, 1}
        for operator in order:
            self.assertContainsSubset(operator.inputs, done)
            done.update(operator.outputs)
        other = _valid_order(nodes, data)
        again = [other[i] for i in operators.canonical_order(other, [0, 1], outputs, [])]
        self.assertEqual(again, order)

    def test_weights_come_right_before_their_reader(self):
        widen1, widen2 = _operator([1], [11]), _operator([2], [12])
        layer1, layer2 = _operator([0, 11], [21]), _operator([21, 12], [22])
        order = operators.canonical_order([widen2, widen1, layer1, layer2], [0], [22], [])
        self.assertEqual(order, [1, 2, 0, 3])

    def test_a_variable_is_read_and_written_in_the_given_order(self):
        read, write = _operator([5], [6]), _operator([0], [5])
        self.assertEqual(operators.canonical_order([read, write], [0], [5, 6], [5]), [0, 1])
        self.assertEqual(operators.canonical_order([write, read], [0], [5, 6], [5]), [0, 1])

    def test_a_tensor_that_is_written_twice_or_read_first_is_a_variable_too(self):
        first, read, second = _operator([0], [5]), _operator([5], [6]), _operator([1], [5])
        given_order = [first, read, second]
        self.assertEqual(operators.canonical_order(given_order, [0, 1], [6], []), [0, 1, 2])
        self.assertEqual(operators.canonical_order([read, first], [0], [5, 6], []), [0, 1])

    def test_effects_keep_their_order_and_are_not_lost(self):
        effects = [_operator([0], [9], pinned=True), _operator([0], [8], pinned=True)]
        self.assertEqual(operators.canonical_order(effects, [0], [8], []), [0, 1])

    def test_deep_graphs(self):
        chain = [_operator([i], [i + 1]) for i in range(20_000)]
        order = operators.canonical_order(chain, [0], [20_000], [])
        self.assertEqual(order, list(range(20_000)))


if __name__ == "__main__":
    absltest.main()
