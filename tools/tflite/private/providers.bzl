"""What the steps from a checkpoint to a .tflite hand to each other."""

CheckpointInfo = provider(
    doc = "The trained, or seeded, variables of a model.",
    fields = {
        "prefix": "string: the path that TensorFlow calls the checkpoint, `DIR/model.ckpt` for `DIR/model.ckpt.index`.",
        "files": "depset of Files: the `.index` and the `.data-00000-of-00001`.",
        "weights": "string: `seeded` or `released`.",
        "description": "string: one line for people that says where the weights come from.",
    },
)

FrozenGraphInfo = provider(
    doc = "A GraphDef with its variables as constants, in canonical form.",
    fields = {
        "graph": "File: the serialized GraphDef.",
        "checkpoint": "CheckpointInfo: where its constants come from.",
    },
)

TfliteInfo = provider(
    doc = "A TensorFlow Lite model.",
    fields = {
        "model": "File: the .tflite, in canonical form.",
        "raw": "File: the .tflite as the converter wrote it, but for the keys of custom operators' options, which are in order.",
        "graph": "FrozenGraphInfo: what was converted.",
        "converter": "string: `toco`.",
        "tensorflow_version": "string: the TensorFlow that converted, as in `2.15.1`.",
    },
)
