"""TOCO, as a genrule."""

def toco(name, graph, out, recipe, signature, **kwargs):
    """Converts a frozen graph with the TOCO of the resolved TensorFlow toolchain.

    Args:
      name: the genrule's name.
      graph: the label of the frozen graph.
      out: the file to write.
      recipe: the label of the `recipe`, with TOCO's other flags; it refuses wrong attributes.
      signature: the label of its `signature_file`.
      **kwargs: attributes that every rule has.
    """
    native.genrule(
        name = name,
        srcs = [graph, recipe, signature],
        outs = [out],
        cmd = "$(TOCO) --flagfile=$(execpath {}) --graph_def_file=$(execpath {}) --signature=$(execpath {}) --output_file=$@".format(
            recipe,
            graph,
            signature,
        ),
        tools = [Label("//tools/tensorflow:toco")],
        message = "Converting with TOCO",
        toolchains = [Label("//tools/tensorflow:current_toolchain")],
        **kwargs
    )
