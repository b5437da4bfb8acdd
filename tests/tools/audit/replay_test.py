import pathlib
import sys

from absl.testing import absltest

from reproducible_tflite.audit import replay


class _Action:
    """An action whose outputs `follows` computes from the variation and the run's number."""

    def __init__(self, follows):
        self.follows = follows
        self.runs = 0

    def __call__(self, variation):
        self.runs += 1
        return str(self.follows(variation, self.runs))


def _diagnose(follows, cpu_model=None):
    return replay.diagnose(_Action(follows), cpu_model, lambda: None)


class DiagnoseTest(absltest.TestCase):
    def test_a_clock_stands_out_by_standing_still(self):
        diagnosis = _diagnose(
            lambda variation, run: variation.inside.clock == replay._FROZEN or run
        )
        self.assertEqual(diagnosis.cause, "the clock")

    def test_a_date_stands_out_by_another_day(self):
        self.assertEqual(_diagnose(lambda variation, _: variation.inside.clock).cause, "the clock")

    def test_what_differs_by_itself_is_called_that(self):
        self.assertEqual(_diagnose(lambda _, run: run).cause, replay.RUN_TO_RUN)

    def test_two_runs_that_agree_by_chance_are_not_enough(self):
        diagnosis = _diagnose(lambda _, run: run // 2)
        self.assertEqual(diagnosis.cause, replay.RUN_TO_RUN)

    def test_addresses_of_memory(self):
        diagnosis = _diagnose(lambda variation, run: variation.fixed_addresses or run)
        self.assertEqual(diagnosis.cause, "the addresses of memory")

    def test_each_change_is_named(self):
        for variation in replay.CHANGING:
            with self.subTest(variation.what):
                diagnosis = _diagnose(lambda given, _, expected=variation: given == expected)
                self.assertEqual(diagnosis.cause, variation.what)

    def test_an_emulated_processor_is_tried_last_and_only_when_asked_for(self):
        def follows(variation, _):
            return variation.inside.cpu_model

        self.assertEqual(_diagnose(follows).cause, "")
        self.assertEqual(_diagnose(follows, "Haswell").cause, "the processor's model")

    def test_what_cannot_be_run_is_said(self):
        def follows(variation, _):
            if variation.processors:
                raise replay.CannotRun("no reason")
            return variation.inside.hash_seed

        diagnosis = _diagnose(follows)
        self.assertEqual(diagnosis.cause, "the hash seed")
        self.assertIn(
            replay.Tried("the number of processors", "not run: no reason"), diagnosis.tried
        )

    def test_an_action_that_never_runs_has_no_cause(self):
        def follows(variation, run):
            raise replay.CannotRun("its input is gone")

        diagnosis = _diagnose(follows)
        self.assertEqual(diagnosis.cause, "")
        self.assertEqual(
            [tried.result for tried in diagnosis.tried], ["not run: its input is gone"]
        )


class OutermostTest(absltest.TestCase):
    def test_a_folder_has_what_lies_in_it(self):
        paths = ["b/site/x.py", "a", "b/site", "b/sites", "b/site/y/z", "a"]
        self.assertEqual(replay.outermost(paths), ["a", "b/site", "b/sites"])


class LauncherTest(absltest.TestCase):
    def test_the_launcher_has_the_places_where_a_rerun_changes_it(self):
        text = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
        for place in (replay.FIRST, replay.LAST):
            self.assertEqual(text.count(place), 1, place)
        self.assertLess(text.index(replay.FIRST), text.index(replay.LAST))


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
