"""What a converter takes: a frozen graph or a SavedModel."""

load(":providers.bzl", "FrozenGraphInfo", "SavedModelInfo")

# For the `providers` of an attribute.
SOURCE_PROVIDERS = [[FrozenGraphInfo], [SavedModelInfo]]

def converter_source(target):
    """Returns what a conversion needs to know of its source.

    Args:
      target: a target with FrozenGraphInfo or SavedModelInfo.

    Returns:
      A struct: `info`, the provider; `is_saved_model`; `checkpoint`, its CheckpointInfo; `preprocessing`;
      `arrays`, the inputs and outputs that it offers, empty when not declared; `files`, a depset; `flag` and `path`, how a
      converter is told.
    """
    if SavedModelInfo in target:
        info = target[SavedModelInfo]
        return struct(
            info = info,
            is_saved_model = True,
            checkpoint = info.checkpoint,
            preprocessing = info.preprocessing,
            arrays = [],
            files = info.files,
            flag = "--saved_model_dir",
            path = info.path,
        )
    info = target[FrozenGraphInfo]
    return struct(
        info = info,
        is_saved_model = False,
        checkpoint = info.checkpoint,
        preprocessing = info.preprocessing,
        arrays = info.arrays,
        files = depset([info.graph]),
        flag = "--graph_def_file",
        path = info.graph.path,
    )
