import os
import pathlib
import stat

from absl.testing import absltest
from buildgrid._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import (
    Action,
    Command,
    Directory,
    DirectoryNode,
    FileNode,
    SymlinkNode,
    Tree,
)
from buildgrid.server.exceptions import FailedPreconditionError
from buildgrid.server.utils.digests import create_digest

from tests.tools.execution import worker
from tests.tools.execution.storage import BlobStorage

# In place of bubblewrap: changes to the action's folder and runs the command there.
_SANDBOX = """#!/bin/sh
while [ "$1" != -- ]; do
    case $1 in
        --bind) root=$2 ;;
        --chdir) folder=$2 ;;
        --setenv) eval "$2='$3'; export $2" ;;
    esac
    shift
done
shift
cd "$root$folder" && exec "$@"
"""


class WorkerTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = pathlib.Path(self.create_tempdir().full_path)
        self.storage = BlobStorage(folder / "blobs")
        image = folder / "image"
        (image / "bin").mkdir(parents=True)
        sandbox = folder / "sandbox.sh"
        sandbox.write_text(_SANDBOX)
        self.worker = worker.Worker(self.storage, image, ["/bin/sh", str(sandbox)])

    def _put(self, content: bytes):
        digest = create_digest(content)
        self.storage.bulk_update_blobs([(digest, content)])
        return digest

    def _inputs(self):
        inner = Directory(files=[FileNode(name="a.txt", digest=self._put(b"a"))])
        return Directory(
            files=[FileNode(name="empty", digest=create_digest(b""), is_executable=True)],
            directories=[
                DirectoryNode(name="inner", digest=self._put(inner.SerializeToString())),
            ],
            symlinks=[SymlinkNode(name="link", target="inner/a.txt")],
        )

    def _run(self, script: str, **command):
        message = Command(arguments=["/bin/sh", "-c", script], **command)
        inputs = self._put(self._inputs().SerializeToString())
        digest = self._put(message.SerializeToString())
        return self.worker.run(Action(command_digest=digest, input_root_digest=inputs))

    def test_inputs_are_there_and_are_only_read(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        self.worker.lay_inputs(self._put(self._inputs().SerializeToString()), folder)
        contents = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        self.assertEqual(contents, {"empty": b"", "inner/a.txt": b"a", "link": b"a"})
        self.assertEqual(os.readlink(folder / "link"), "inner/a.txt")
        self.assertEqual(stat.S_IMODE((folder / "inner/a.txt").stat().st_mode), 0o555)

    def test_outputs_are_stored_below_folders_that_the_worker_made(self):
        result = self._run(
            "read -r line <link || :; echo $line >deep/er/out.txt; mkdir -p tree/inside/sub;"
            " echo b >tree/inside/sub/b.txt; echo said; echo $NAME >&2",
            output_files=["deep/er/out.txt", "not/made.txt"],
            output_directories=["tree/inside"],
            environment_variables=[Command.EnvironmentVariable(name="NAME", value="a value")],
        )
        self.assertEqual(result.exit_code, 0)
        self.assertEqual((result.stdout_raw, result.stderr_raw), (b"said\n", b"a value\n"))
        (file,) = result.output_files
        self.assertEqual(file.path, "deep/er/out.txt")
        self.assertEqual(self.storage.get_blob(file.digest).read(), b"a\n")
        (folder,) = result.output_directories
        tree = Tree.FromString(self.storage.get_blob(folder.tree_digest).read())
        self.assertEqual([node.name for node in tree.root.directories], ["sub"])
        self.assertEqual([node.name for node in tree.children[0].files], ["b.txt"])
        self.assertEmpty(list(self.storage.temporary.iterdir()))

    def test_a_failing_action_leaves_its_words_and_no_root(self):
        result = self._run("echo why >&2; exit 3")
        self.assertEqual((result.exit_code, result.stderr_raw), (3, b"why\n"))
        self.assertEmpty(list(self.storage.temporary.iterdir()))

    def test_an_output_that_is_a_link_to_a_file_of_the_machine(self):
        for script in (
            "ln -s /etc/passwd out",
            "mkdir tree && ln -s /etc/passwd tree/out",
            "ln -s /etc tree",
            "mkdir tree && ln -s /etc tree/below",
        ):
            with self.subTest(script), self.assertRaisesRegex(FailedPreconditionError, "symbolic"):
                self._run(script, output_files=["out"], output_directories=["tree"])
            self.assertEmpty(list(self.storage.temporary.iterdir()))

    def test_an_input_that_was_not_uploaded(self):
        missing = Directory(files=[FileNode(name="gone", digest=create_digest(b"gone"))])
        inputs = self._put(missing.SerializeToString())
        command = self._put(Command(arguments=["true"]).SerializeToString())
        action = Action(command_digest=command, input_root_digest=inputs)
        with self.assertRaisesRegex(FailedPreconditionError, "^gone was not uploaded$"):
            self.worker.run(action)
        self.assertEmpty(list(self.storage.temporary.iterdir()))


if __name__ == "__main__":
    absltest.main()
