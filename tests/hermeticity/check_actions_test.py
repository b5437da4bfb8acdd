import json
import os
import sys
from unittest import mock

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from tests.hermeticity import check_actions

_BIN = "bazel-out/k8-fastbuild/bin/"
_EXEC_BIN = "bazel-out/k8-opt-exec-2B5CBBC6/bin/"
_SETUP = "external/bazel_tools/tools/genrule/genrule-setup.sh"
_STRICT_PATH = {"PATH": "/bin:/usr/bin:/usr/local/bin"}


def _genrule(**changes):
    """Returns an action that makes a model by a genrule, like TOCO's."""
    action = {
        "mnemonic": "Genrule",
        "arguments": ["/bin/bash", "-c", f"source {_SETUP}; {_EXEC_BIN}tools/toco --shape='1,2'"],
        "environment": _STRICT_PATH,
        "inputs": [_BIN + "models/x/x.pb", _EXEC_BIN + "tools/toco", _SETUP],
        "output": _BIN + "models/x/x.tflite",
    }
    return action | changes


def _rule(**changes):
    """Returns an action that makes the model's graph by a rule."""
    action = {
        "mnemonic": "Export",
        "arguments": [
            _EXEC_BIN + "tools/steps/export",
            "--text",
            "\na: 1/128 //models:x http://a/b\n",
        ],
        "inputs": ["models/x/x.config", "external/reproducible_tflite_cpython_3_11/runtime"],
        "output": _BIN + "models/x/x.pb",
    }
    return action | changes


def _program(**changes):
    """Returns an action for a toolchain's start-up script, in another configuration."""
    action = {
        "mnemonic": "TemplateExpand",
        "inputs": ["external/reproducible_tflite_tensorflow_2_15_1/site"],
        "output": _BIN + "tools/toco",
    }
    return action | changes


def _document(*actions):
    """Returns actions in the form of `aquery --output=jsonproto`."""
    fragments, artifacts, sets, rows = [], {}, [], []

    def fragment(path):
        for position, label in enumerate(path.split("/")):
            row = {"id": len(fragments) + 1, "label": label}
            fragments.append(row | {"parentId": len(fragments)} if position else row)
        return len(fragments)

    def artifact(path):
        if path not in artifacts:
            artifacts[path] = {"id": len(artifacts) + 1, "pathFragmentId": fragment(path)}
        return artifacts[path]["id"]

    def pairs(values):
        return [{"key": key, "value": value} for key, value in values.items()]

    for action in actions:
        # The first input is in a nested set.
        first, *others = [artifact(path) for path in action["inputs"]]
        inner, outer = len(sets) + 1, len(sets) + 2
        sets.append({"id": inner, "directArtifactIds": [first]})
        sets.append({"id": outer, "directArtifactIds": others, "transitiveDepSetIds": [inner]})
        rows.append(
            {
                "targetId": 1,
                "mnemonic": action["mnemonic"],
                "arguments": action.get("arguments", []),
                "paramFiles": action.get("param_files", []),
                "environmentVariables": pairs(action.get("environment", {})),
                "executionInfo": [{"key": key} for key in action.get("execution", [])],
                "inputDepSetIds": [outer],
                "outputIds": [artifact(action["output"])],
            }
        )
    return {
        "targets": [{"id": 1, "label": "//models/x:x"}],
        "pathFragments": fragments,
        "artifacts": list(artifacts.values()),
        "depSetOfFiles": sets,
        "actions": rows,
    }


def _faults(*actions):
    return check_actions.faults(check_actions.parse(_document(*actions)))


class FaultsTest(parameterized.TestCase):
    def test_a_hermetic_graph_has_none(self):
        self.assertEqual(_faults(_genrule(), _rule(), _program()), [])

    @parameterized.parameters("tensorflow_2_17_1", "pip_absl_py", "released_mobilenet_v1_1.0_224")
    def test_pinned_repositories_are_accepted(self, repository):
        rule = _rule(
            inputs=["models/x/x.config", f"external/reproducible_tflite_{repository}/file"]
        )
        self.assertEqual(_faults(_genrule(), rule, _program()), [])

    @parameterized.parameters(
        ("external/local_config_cc/cc_wrapper.sh", "the repository local_config_cc is not pinned"),
        ("external/bazel_tools/tools/zip/zipper", "the repository bazel_tools is not pinned"),
        ("external/my_pip_absl_py/file", "the repository my_pip_absl_py is not pinned"),
        ("external/pip_absl_py/file", "the repository pip_absl_py is not pinned"),
        (
            "external/reproducible_tflite_released_unheard_of/file",
            "the repository reproducible_tflite_released_unheard_of is not pinned",
        ),
        (
            "external/reproducible_tflite_tensorflow_9_9_9/file",
            "the repository reproducible_tflite_tensorflow_9_9_9 is not pinned",
        ),
        ("/usr/lib/libm.so", "reads /usr/lib/libm.so, a file of the host"),
        ("models/../../elsewhere", "reads models/../../elsewhere, a file of the host"),
        ("bazel-out/volatile-status.txt", "is stamped: it reads bazel-out/volatile-status.txt"),
        (_BIN + "tools/unknown", "which no action of the query makes"),
    )
    def test_an_input_from_elsewhere(self, path, message):
        for inputs in ([path], ["models/x/x.config", path]):
            (fault,) = _faults(_genrule(), _rule(inputs=inputs), _program())
            self.assertStartsWith(fault, "Export of //models/x:x ")
            self.assertIn(message, fault)

    def test_an_input_of_a_tool_counts(self):
        program = _program(inputs=["external/elsewhere/site"])
        (fault,) = _faults(_genrule(), _rule(), program)
        self.assertIn("TemplateExpand of //models/x:x reads external/elsewhere/site", fault)

    @parameterized.parameters(
        "local", "no-sandbox", "requires-network", "no-cache", "no-remote-cache", "stamp", "new-one"
    )
    def test_execution_out_of_the_sandbox_or_the_cache(self, key):
        self.assertEqual(
            _faults(_genrule(execution=[key]), _rule(), _program()),
            [f"Genrule of //models/x:x requests execution with {key!r}"],
        )

    @parameterized.parameters(
        (["tools/steps/export", "--data=/usr/share/data"], "/usr/share/data"),
        (["tools/steps/export", "/etc/passwd"], "/etc/passwd"),
        (["/bin/bash", "-c", "true"], "/bin/bash"),
        (["tools/steps/export", "a:/opt/b"], "/opt/b"),
        (["tools/steps/export", "x '/opt/b' y"], "/opt/b"),
        (["tools/steps/export", "@/tmp/params"], "/tmp/params"),
    )
    def test_a_path_of_the_host_in_a_command(self, arguments, path):
        self.assertEqual(
            _faults(_genrule(), _rule(arguments=arguments), _program()),
            [f"Export of //models/x:x names {path}, a path of the host"],
        )

    def test_a_path_of_the_host_in_a_genrules_command(self):
        arguments = ["/bin/bash", "-c", f"source {_SETUP}; /usr/bin/python3 x.py"]
        self.assertEqual(
            _faults(_genrule(arguments=arguments), _rule(), _program()),
            [
                "Genrule of //models/x:x names /usr/bin/python3, a path of the host",
                "Genrule of //models/x:x starts '/usr/bin/python3', which is not an input",
            ],
        )

    @parameterized.parameters(
        ("cat <x >y", "has '<' in its command"),
        (f"{_EXEC_BIN}tools/toco --x; cat ~/.bashrc", "has ';' in its command"),
        (f"{_EXEC_BIN}tools/toco --x=$(cat y)", "has '\\$' in its command"),
        (f"{_EXEC_BIN}tools/toco --x\ncat y", "has '\\\\n' in its command"),
        (f"HOME=/x {_EXEC_BIN}tools/toco", "starts 'HOME=/x'"),
        ("python3 x.py", "starts 'python3'"),
        ("", "starts ''"),
    )
    def test_a_shell_that_does_more_than_start_a_program(self, command, message):
        arguments = ["/bin/bash", "-c", f"source {_SETUP}; {command}"]
        faults = _faults(_genrule(arguments=arguments), _rule(), _program())
        self.assertRegex("\n".join(faults), message)

    def test_quoted_characters_are_not_special(self):
        command = f"{_EXEC_BIN}tools/toco --shape='1,2' --odd='a;b $(c)' --x=1"
        arguments = ["/bin/bash", "-c", f"source {_SETUP}; {command}"]
        self.assertEmpty(_faults(_genrule(arguments=arguments), _rule(), _program()))

    def test_a_path_of_the_host_in_a_parameter_file(self):
        files = [{"execPath": _BIN + "x.params", "arguments": ["--data", "/opt/data"]}]
        (fault,) = _faults(_genrule(), _rule(param_files=files), _program())
        self.assertIn("/opt/data", fault)

    @parameterized.parameters(
        (_genrule(environment=_STRICT_PATH | {"HOME": "/opt/me"}), "HOME"),
        (_genrule(environment={"PATH": "/opt/me/bin:/bin"}), "/opt/me/bin"),
        (_genrule(environment={}), "{}"),
    )
    def test_a_genrules_environment(self, genrule, message):
        (fault,) = _faults(genrule, _rule(), _program())
        self.assertStartsWith(fault, "Genrule of //models/x:x has the environment")
        self.assertIn(message, fault)

    def test_a_rules_environment_is_empty(self):
        (fault,) = _faults(_genrule(), _rule(environment=_STRICT_PATH), _program())
        self.assertStartsWith(fault, "Export of //models/x:x has the environment {'PATH'")

    @parameterized.parameters("TEST_SRCDIR", "BUILD_WORKSPACE_DIRECTORY", "REPOSITORY_RULE")
    def test_a_variable_that_would_let_a_program_read_anything(self, name):
        reason = f"names {name}, which would let a program read more than its inputs"
        of_genrule, of_rule = (
            f"Genrule of //models/x:x {reason}",
            f"Export of //models/x:x {reason}",
        )
        for command in (f"{name}=1 tools/toco", f"export {name}; tools/toco", f"env {name}= toco"):
            arguments = ["/bin/bash", "-c", command]
            faults = _faults(_genrule(arguments=arguments), _rule(), _program())
            self.assertIn(of_genrule, faults)
        files = [{"execPath": _BIN + "x.params", "arguments": [f"--define={name}=1"]}]
        self.assertEqual(_faults(_genrule(), _rule(param_files=files), _program()), [of_rule])
        self.assertIn(of_rule, _faults(_genrule(), _rule(environment={name: ""}), _program()))
        other = ["/bin/bash", "-c", f"{_EXEC_BIN}tools/toco --my_{name}s=1"]
        self.assertEqual(_faults(_genrule(arguments=other), _rule(), _program()), [])

    def test_actions_that_no_model_depends_on_are_ignored(self):
        stray = _rule(
            inputs=["/usr/bin/gcc"], arguments=["/usr/bin/gcc"], output=_EXEC_BIN + "tools/launcher"
        )
        self.assertEqual(_faults(_genrule(), _rule(), _program(), stray), [])


class MainTest(absltest.TestCase):
    def _main(self, content):
        path = self.create_tempfile(content=content).full_path
        check_actions.main(["check_actions", path])

    def test_a_hermetic_graph_is_counted(self):
        with mock.patch.object(sys, "stdout") as stdout:
            self._main(json.dumps(_document(_genrule(), _rule(), _program())))
        written = "".join(call.args[0] for call in stdout.write.call_args_list)
        self.assertEqual(written, "3 actions with 6 inputs are hermetic.\n")

    def test_faults_are_listed_and_counted(self):
        rule = _rule(execution=["local", "no-cache"])
        with mock.patch.object(sys, "stderr") as stderr:
            with self.assertRaisesRegex(cli.UserError, "2 fault\\(s\\) in 3 actions\\.$"):
                self._main(json.dumps(_document(_genrule(), rule, _program())))
        written = "".join(call.args[0] for call in stderr.write.call_args_list)
        self.assertIn("Export of //models/x:x requests execution with 'local'\n", written)

    def test_a_truncated_file(self):
        text = json.dumps(_document(_genrule()))
        with self.assertRaisesRegex(cli.UserError, "not a complete output of `aquery"):
            self._main(text[: len(text) // 2])

    def test_a_file_of_another_kind(self):
        with self.assertRaisesRegex(cli.UserError, "not a complete output of `aquery"):
            self._main("{}")

    def test_a_query_without_models(self):
        other = _rule(output=_BIN + "tools/steps/export")
        with self.assertRaisesRegex(cli.UserError, "no action of a package below models/"):
            self._main(json.dumps(_document(other)))

    def test_without_a_file_only_under_bazel_run(self):
        with mock.patch.dict(os.environ):
            os.environ.pop("BUILD_WORKSPACE_DIRECTORY", None)
            with self.assertRaisesRegex(cli.UserError, "start this program with `bazel run`"):
                check_actions.main(["check_actions"])


if __name__ == "__main__":
    absltest.main()
