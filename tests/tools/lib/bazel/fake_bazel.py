"""A fake Bazel, for tests of the tools that call Bazel."""

import json
import pathlib
from collections.abc import Mapping, Sequence

_PROGRAM = """#!/bin/sh
echo "$PWD: $*" >>{folder}/calls
case "$*" in
    *{failing}*) echo 'ERROR: no such target' >&2; exit 1 ;;
esac
for argument in "$@"; do
    case $argument in
        --build_event_json_file=*) /bin/cp {folder}/events.json "${{argument#*=}}" ;;
        query) /bin/cat {folder}/labels ;;
    esac
done
"""


class FakeBazel:
    """A program that replies with prepared answers.

    Attributes:
      program: its path.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self.program = str(folder / "bazel")
        pathlib.Path(self.program).write_text(_PROGRAM.format(folder=folder, failing="broken"))
        pathlib.Path(self.program).chmod(0o755)

    def calls(self) -> list[str]:
        """Returns the folder and the arguments of every call so far."""
        path = self._folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def builds(self, targets: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        """Sets the result of queries and builds.

        Args:
          targets: the URIs of the outputs, by output group, by label.
        """
        (self._folder / "labels").write_text("".join(f"{label}\n" for label in targets))
        events = [{"id": {"started": {}}, "started": {}}]
        number = 0
        for label, groups in targets.items():
            output_groups = []
            for group, uris in groups.items():
                # Bazel nests sets of files; here the first file is in an inner set.
                inner, outer = str(number), str(number + 1)
                number += 2
                for name, members, inside in ((inner, uris[:1], []), (outer, uris[1:], [inner])):
                    event = {"files": [{"name": uri, "uri": uri} for uri in members]}
                    if inside:
                        event["fileSets"] = [{"id": other} for other in inside]
                    events.append({"id": {"namedSet": {"id": name}}, "namedSetOfFiles": event})
                output_groups.append({"name": group, "fileSets": [{"id": outer}]})
            events.append(
                {
                    "id": {"targetCompleted": {"label": label}},
                    "completed": {"success": True, "outputGroup": output_groups},
                }
            )
        text = "".join(json.dumps(event) + "\n" for event in events)
        (self._folder / "events.json").write_text(text)
