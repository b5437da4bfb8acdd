"""A model's output groups as targets, for tests."""

def output_groups(name, model, groups, tags):
    """Declares a target for each of a model's output groups, so that a test can refer to its file.

    Args:
      name: the test's name.
      model: the label of the .tflite, a `tflite_model`.
      groups: the output groups, each with one file.
      tags: the targets' tags.

    Returns:
      A dict of the targets' names by output group.
    """
    targets = {group: "{}.{}".format(name, group) for group in groups}
    for group, target in targets.items():
        native.filegroup(
            name = target,
            testonly = True,
            srcs = [model],
            output_group = group,
            tags = tags,
        )
    return targets
