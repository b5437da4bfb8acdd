"""A model's provenance, as an in-toto statement and a CycloneDX ML-BOM."""

load("@reproducible_tflite_materials//:table.bzl", "BAZEL", "MATERIALS", "PINNED")
load("@rules_python//python:defs.bzl", "PyInfo")
load("//third_party/materials:materials.bzl", "repository_name")
load(":labels.bzl", "label_text")
load(":program.bzl", "program")
load(
    ":providers.bzl",
    "ArchitectureInfo",
    "CheckpointInfo",
    "FrozenGraphInfo",
    "RepresentativeDatasetInfo",
    "SavedModelInfo",
)
load(":released_archive.bzl", "ReleasedArchiveInfo")

# Where this repository is: empty for the main one.
_OWN_ROOT = Label("//tools/tflite").workspace_root

# Its name in a statement elsewhere, whatever the other repository calls it.
_OWN_NAME = "reproducible_tflite"

_MaterialsInfo = provider(
    doc = "A target's materials.",
    fields = {
        "files": "depset of Files: every file that the actions behind it may read, including generated ones.",
        "steps": "depset of strings: a JSON object for each step of the recipe.",
    },
)

# Targets with one of these providers or rule kinds are steps of the recipe.
_STEP_PROVIDERS = [
    ArchitectureInfo,
    CheckpointInfo,
    FrozenGraphInfo,
    ReleasedArchiveInfo,
    RepresentativeDatasetInfo,
    SavedModelInfo,
]
_STEP_KINDS = ["genrule", "pipeline_config", "quantization_recipe", "recipe", "_tflite_file"]

# Attributes of every rule that do not affect files.
_COMMON_ATTRIBUTES = [
    "applicable_licenses",
    "compatible_with",
    "deprecation",
    "exec_compatible_with",
    "exec_properties",
    "expect_failure",
    "features",
    "generator_file",
    "generator_function",
    "generator_location",
    "generator_name",
    "name",
    "package_metadata",
    "restricted_to",
    "tags",
    "target_compatible_with",
    "testonly",
    "toolchains",
    "transitive_configs",
    "visibility",
]

# The programs that write a model's documents, where the model itself is a source, as for `quantized_model`.
_NOT_BEHIND_A_MODEL = ["_write_provenance", "_write_report"]

# The attributes of a genrule that define its command.
_GENRULE_ATTRIBUTES = ["cmd"]

def _scalar(value):
    """Returns a value for JSON; None for types without a text form."""
    if type(value) == "Target":
        return label_text(value.label)
    if type(value) == "Label":
        return label_text(value)
    return value if type(value) in ["bool", "int", "string"] else None

def _plain(value):
    """Returns an attribute's value for JSON; None for empty values and types without a text form."""
    if type(value) == "list":
        values = [_scalar(element) for element in value]
        return values if values and None not in values else None
    if type(value) == "dict":
        values = {key: _scalar(element) for key, element in value.items() if type(key) == "string"}
        return values if values and None not in values.values() else None
    return _scalar(value) if value != "" else None

def _parameters(ctx):
    names = _GENRULE_ATTRIBUTES if ctx.rule.kind == "genrule" else dir(ctx.rule.attr)
    return {
        name: getattr(ctx.rule.attr, name)
        for name in names
        if name not in _COMMON_ATTRIBUTES and not name.startswith("_")
    }

def _targets(attributes):
    """Returns the targets that a rule's attributes name."""
    targets = []
    for name in dir(attributes):
        if name in _NOT_BEHIND_A_MODEL:
            continue
        value = getattr(attributes, name)
        if type(value) == "Target":
            targets.append(value)
        elif type(value) == "list":
            targets += [element for element in value if type(element) == "Target"]
        elif type(value) == "dict":
            targets += [key for key in value.keys() if type(key) == "Target"]
    return targets

def _files_of(target):
    return [target[DefaultInfo].files, target[DefaultInfo].default_runfiles.files]

def _repository(label):
    """Returns the name of a label's external repository; empty for the main one."""
    return repository_name(label.workspace_root.rpartition("/")[2])

def _is_complete(label):
    """Whether a target is in a repository that a lock pins as a whole, or in Bazel's own."""
    repository = _repository(label)
    return label.workspace_root != _OWN_ROOT and (repository in PINNED or repository == "bazel_tools")

def _materials_aspect_impl(target, ctx):
    is_step = ctx.rule.kind in _STEP_KINDS or bool([info for info in _STEP_PROVIDERS if info in target])
    if _is_complete(ctx.label) and not is_step:
        # The targets that refer to its files list them.
        return [_MaterialsInfo(files = depset(), steps = depset())]
    files = _files_of(target)
    steps = []
    direct = []

    # A Python program reads only its runfiles; its declaration adds nothing.
    if PyInfo not in target:
        for dependency in _targets(ctx.rule.attr):
            files += _files_of(dependency)
            if _MaterialsInfo in dependency:
                files.append(dependency[_MaterialsInfo].files)
                steps.append(dependency[_MaterialsInfo].steps)
        if is_step:
            direct.append(step(target.label, ctx.rule.kind.lstrip("_"), _parameters(ctx)))
    return [
        _MaterialsInfo(
            files = depset(transitive = files),
            steps = depset(direct, transitive = steps, order = "postorder"),
        ),
    ]

materials_aspect = aspect(
    implementation = _materials_aspect_impl,
    doc = "Collects every file that the actions behind a target may read, and the declaration of each step.",
    attr_aspects = ["*"],
)

PROVENANCE_ATTRS = {
    "_write_provenance": program("//tools/steps/provenance:write_provenance"),
    "_build_definitions": attr.label(default = Label("//tools/steps/provenance:build_definitions")),
    "_lock_files": attr.label(default = Label("@reproducible_tflite_materials//:files")),
    "_debian_packages": attr.label(default = Label("@reproducible_tflite_materials//:debian_packages")),
}

def step(label, rule, attributes):
    """Returns a step of a recipe, for `write_provenance`.

    Args:
      label: the Label of its target, or a name for what is no target.
      rule: the rule's name.
      attributes: a dict of the attributes that define it; empty ones are left out.
    """
    values = {name: _plain(value) for name, value in attributes.items()}
    return json.encode({
        "label": label_text(label),
        "rule": rule,
        "attributes": {name: value for name, value in values.items() if value != None},
    })

def _source(file):
    """Describes a file that no lock pins; its name is `@repository//path` unless it is in the main repository."""
    root = file.owner.workspace_root
    if not root:
        return {"name": file.path, "path": file.path}
    repository = _OWN_NAME if root == _OWN_ROOT else _repository(file.owner)
    return {"name": "@{}//{}".format(repository, file.path.removeprefix(root + "/")), "path": file.path}

def write_provenance(ctx, raw, source, programs, facts, model, checkpoint, byproducts, samples, steps):
    """Registers the action that writes a model's provenance.

    Args:
      ctx: the context of a rule that has `PROVENANCE_ATTRS`.
      raw: the File before canonical form.
      source: the Target of that file, with `materials_aspect` applied.
      programs: Targets of further programs, which the aspect does not see, and of their own inputs.
      facts: a dict of facts about the model, for JSON; see `write_evidence`.
      model: the File of the model.
      checkpoint: the CheckpointInfo of its weights.
      byproducts: a dict of Files by their names in the statement.
      samples: the File of the representative dataset, or None.
      steps: a list of further steps, from `step`.

    Returns:
      A list of two Files, the statement and the ML-BOM.
    """

    # Bazel applies no aspect to a source file.
    materials = source[_MaterialsInfo] if _MaterialsInfo in source else _MaterialsInfo(files = source[DefaultInfo].files, steps = depset())
    files = depset(transitive = [materials.files, ctx.attr._build_definitions[DefaultInfo].files] + [
        depset(transitive = _files_of(program) + ([program[_MaterialsInfo].files] if _MaterialsInfo in program else []))
        for program in programs
    ]).to_list()
    sources = []
    repositories = {}
    for file in files:
        # Generated files come from the other ones.
        if file.is_source:
            repository = _repository(file.owner)
            if repository in PINNED:
                repositories[repository] = None
            else:
                sources.append(file)

    statement = ctx.actions.declare_file(ctx.label.name + ".provenance.json")
    mlbom = ctx.actions.declare_file(ctx.label.name + ".mlbom.json")
    request = ctx.actions.declare_file(ctx.label.name + ".provenance.request")
    ctx.actions.write(request, json.encode(dict(
        facts,
        bazel = BAZEL,
        byproducts = {name: file.path for name, file in byproducts.items()},
        checkpoint = sorted([file.path for file in checkpoint.files.to_list()]),
        debian_packages = {file.basename: file.path for file in ctx.files._debian_packages},
        lock_files = {"{}/{}".format(file.owner.package, file.owner.name): file.path for file in ctx.files._lock_files},
        materials = MATERIALS,
        model = model.path,
        raw = raw.path,
        repositories = sorted(repositories),
        samples = samples.path if samples else None,
        own_prefix = "@{}//".format(_OWN_NAME) if _OWN_ROOT else "",
        sources = [_source(file) for file in sources],
        steps = [json.decode(each) for each in materials.steps.to_list() + steps],
    )))
    arguments = ctx.actions.args()
    arguments.add("--request", request)
    arguments.add("--statement", statement)
    arguments.add("--mlbom", mlbom)
    ctx.actions.run(
        executable = ctx.executable._write_provenance,
        arguments = [arguments],
        inputs = depset(
            [request, model, raw] + byproducts.values() + sources + ctx.files._debian_packages +
            ctx.files._lock_files + ([samples] if samples else []),
            transitive = [checkpoint.files],
        ),
        outputs = [statement, mlbom],
        mnemonic = "Provenance",
        progress_message = "Writing the provenance of %{label}",
    )
    return [statement, mlbom]
