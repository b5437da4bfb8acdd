from absl.testing import absltest, parameterized

from reproducible_tflite.docs import examples, markdown, module_info, rules_page
from reproducible_tflite.lib.cli import cli


def _extracted(**fields):
    return module_info.message_class()(**fields).SerializeToString()


_RULE = {
    "name": "net",
    "doc": "A net.",
    "fields": [
        {"name": "name", "type": 1, "mandatory": True},
        {
            "name": "graph",
            "doc": "Its graph.",
            "type": 3,
            "mandatory": True,
            "providers": [{"names": ["GraphInfo"]}],
        },
        {"name": "sizes", "doc": "Its sizes.", "type": 6, "default": "[]"},
        {"name": "scales", "doc": "list of floats: its scales.", "type": 5, "default": "[]"},
    ],
    "provides": {"names": ["NetInfo"]},
}
_MACRO = {
    "name": "nets",
    "doc": "Nets.",
    "fields": [
        {"name": "name", "doc": "the name.", "mandatory": True},
        {"name": "count", "doc": "how many.", "default": "2"},
        {"name": "graph", "doc": "their graph.", "default": "None"},
        {"name": "limit", "doc": "float: the highest: 1.", "default": "None"},
        {"name": "note", "doc": "see: the rest.", "default": "None"},
        {"name": "kwargs", "doc": "the rest."},
    ],
}
_PROVIDER = {
    "name": "NetInfo",
    "doc": "What a net is.",
    "fields": [
        {"name": "size", "doc": "int: the size."},
        {"name": "other", "doc": "what else there is."},
    ],
}


class MarkdownTest(parameterized.TestCase):
    @parameterized.parameters(
        ("one\n  line", "one line"),
        ("first\n\nsecond", "first<br>second"),
        ("a | b * <c>", "a \\| b \\* \\<c>"),
        ("`a | b * <c>`", "`a \\| b * <c>`"),
    )
    def test_a_cell(self, text, expected):
        self.assertEqual(markdown.cell(text), expected)

    def test_a_table(self):
        self.assertEqual(
            markdown.table(["x", "y"], [["1", "2"]]), "| x | y |\n|---|---|\n| 1 | 2 |\n"
        )


class ModuleInfoTest(parameterized.TestCase):
    def _read(self, **fields):
        file = self.create_tempfile(content=_extracted(**fields), mode="wb")
        return module_info.read(file.full_path)

    def test_a_rule(self):
        attribute = module_info.Attribute
        self.assertEqual(
            self._read(rules=[_RULE])["net"],
            module_info.Entry(
                name="net",
                kind="rule",
                doc="A net.",
                attributes=[
                    attribute("graph", "Its graph.", "label", None, ["GraphInfo"]),
                    attribute("sizes", "Its sizes.", "list of ints", "[]", []),
                    attribute("scales", "Its scales.", "list of floats", "[]", []),
                ],
                provides=["NetInfo"],
            ),
        )

    def test_a_macro(self):
        parameters = self._read(macros=[_MACRO])["nets"].attributes
        self.assertEqual(
            [(entry.name, entry.doc, entry.type, entry.default) for entry in parameters],
            [
                ("name", "The name.", "string", None),
                ("count", "How many.", "int", "2"),
                ("graph", "Their graph.", "", "None"),
                ("limit", "The highest: 1.", "float", "None"),
                ("note", "See: the rest.", "", "None"),
                ("**kwargs", "The rest.", "attributes", ""),
            ],
        )

    def test_a_provider(self):
        fields = self._read(providers=[_PROVIDER])["NetInfo"].attributes
        self.assertEqual(
            [(field.name, field.type, field.doc) for field in fields],
            [("size", "int", "The size."), ("other", "", "What else there is.")],
        )

    def test_bazels_text_is_read_as_what_it_was(self):
        twice = "From −1 to 1".encode().decode("latin-1")
        self.assertEqual(self._read(rules=[_RULE | {"doc": twice}])["net"].doc, "From −1 to 1")

    @parameterized.parameters(
        ({"rules": [_RULE | {"doc": ""}]}, "`net` of `net` has no doc"),
        (
            {"rules": [_RULE | {"fields": [{"name": "bare", "type": 2}]}]},
            "`bare` of `net` has no doc",
        ),
        (
            {"macros": [_MACRO | {"fields": [{"name": "bare", "mandatory": True}]}]},
            "`bare` of `nets` has no doc",
        ),
        (
            {"providers": [_PROVIDER | {"fields": [{"name": "bare"}]}]},
            "`bare` of `NetInfo` has no doc",
        ),
    )
    def test_what_is_public_has_a_doc(self, fields, sentence):
        with self.assertRaisesRegex(cli.UserError, sentence):
            self._read(**fields)

    def test_another_file(self):
        file = self.create_tempfile(content="no message")
        with self.assertRaisesRegex(cli.UserError, "is not what starlark_doc_extract writes"):
            module_info.read(file.full_path)


def _entries(*names, **attributes):
    return {
        name: module_info.Entry(name, "rule", "What it is.", attributes.get(name, []))
        for name in names
    }


_TEMPLATE = """\
{% for attribute in entry_of("nets", ["net"]).attributes %}
{{ attribute.name | code }}: {{ attribute.type }}: {{ attribute.doc | cell }}
{% endfor %}
"""


class RulesPageTest(absltest.TestCase):
    def _render(self, public, private=None, template=_TEMPLATE, shown=None):
        file = self.create_tempfile("page.md.tpl", content=template)
        return rules_page.render(public, private or {}, shown or {}, file.full_path)

    def _render_examples(self, code, kind="rule", handed_on=()):
        """Renders the captions of the examples of an entry with an attribute or a field `size`."""
        attributes = [
            module_info.Attribute("size", "Its size."),
            module_info.Attribute("**kwargs", "The rest."),
        ]
        others = [module_info.Attribute(name, "Another.") for name in handed_on]
        return self._render(
            {"net": module_info.Entry("net", kind, "What it is.", attributes)},
            {"recipe": module_info.Entry("recipe", "rule", "A recipe.", others)},
            "{% for example in examples_of(entry_of('net'), private.recipe.attributes) %}"
            "{{ example.caption }}{% endfor %}",
            {"net": [examples.Example("Shown.", text) for text in code]},
        )

    def test_examples_that_give_every_attribute(self):
        page = self._render_examples(["net(size = 1)", "net(graph = 2)"], handed_on=["graph"])
        self.assertEqual(page, "Shown.Shown.")

    def test_an_example_that_reads_every_field(self):
        self.assertEqual(self._render_examples(["x = net.size"], "provider"), "Shown.")

    def test_an_attribute_without_an_example(self):
        with self.assertRaisesRegex(cli.UserError, "'size' of 'net' is in no example; add it"):
            self._render_examples(["net(graph = 2)", "other(size = 1)"])

    def test_an_attribute_that_is_handed_on_without_an_example(self):
        with self.assertRaisesRegex(cli.UserError, "'graph' of 'net' is in no example"):
            self._render_examples(["net(size = 2)"], handed_on=["graph"])

    def test_a_field_without_an_example(self):
        with self.assertRaisesRegex(cli.UserError, "'size' of 'net' is in no example"):
            self._render_examples(["net(size = 1)"], "provider")

    def test_a_rule_without_attributes_and_example(self):
        with self.assertRaisesRegex(cli.UserError, "'net' has no example; add one to docs/exam"):
            self._render(_entries("net"), template="{{ examples_of(entry_of('net'), []) }}")

    def test_an_example_of_what_is_not_public(self):
        with self.assertRaisesRegex(cli.UserError, "has examples of gone, which are not public"):
            self._render(
                _entries("nets"),
                _entries("net"),
                shown={"gone": [examples.Example("Shown.", "gone()")]},
            )

    def test_a_macro_has_the_types_of_its_rule(self):
        attribute = module_info.Attribute
        page = self._render(
            _entries("nets", nets=[attribute("graph", "Their graph.")]),
            _entries("net", net=[attribute("graph", "Its.", "label")]),
        )
        self.assertEqual(page, "`graph`: label: Their graph.\n")

    def test_a_long_text_is_said_once(self):
        attributes = [module_info.Attribute("kind", "long " * 50)]
        page = self._render(
            _entries("one", "two", one=attributes, two=attributes),
            template="{% for name in ['one', 'two'] %}"
            "{{ entry_of(name).attributes[0].doc | cell }}\n{% endfor %}",
        )
        self.assertEqual(page.splitlines()[1:], ["As for `one`."])

    def test_a_rule_without_a_place(self):
        with self.assertRaisesRegex(cli.UserError, "leaves out extra; give each a place"):
            self._render(_entries("nets", "extra"), _entries("net"))

    def test_a_rule_that_is_not_public(self):
        with self.assertRaisesRegex(cli.UserError, "shows 'nets', which is not public"):
            self._render({}, _entries("net"))


if __name__ == "__main__":
    absltest.main()
