{% extends "page.html.tpl" %}
{% macro scroll(label, tall=false) %}
<div class="scroll{{ " tall" if tall }}" role="region" aria-label="{{ label }}" tabindex="0">{{ caller() }}</div>
{% endmacro %}
{% macro weights_label() %}
{% if weights == "seeded" %}<span class="label bad">synthetic weights</span>{% elif weights == "own" %}<span class="label">own weights</span>{% else %}<span class="label good">released weights</span>{% endif %}
{% endmacro %}
{% macro golden_label() %}
{% if golden == "equal" %}<span class="label good">golden digest: equal</span>
{% elif golden == "different" %}<span class="label bad">golden digest: different</span>
{% else %}<span class="label warn">golden digest: none</span>{% endif %}
{% endmacro %}
{% macro ends_table(rows, what) %}
{% call scroll(what) %}
<table>
{% set signed = rows | selectattr("signature") | list %}
<thead><tr><th scope="col">name</th>{% if signed %}<th scope="col">in the signature</th>{% endif %}<th scope="col">type</th><th scope="col">shape</th><th scope="col">stored integers</th></tr></thead>
<tbody>
{% for end in rows %}
<tr><th scope="row" class="name"><code>{{ end.name | breakable }}</code></th>{% if signed %}<td><code>{{ end.signature or "–" }}</code></td>{% endif %}<td>{{ end.type }}</td><td class="mono whole">{{ end.shape }}</td><td>{{ end.stored or "–" }}</td></tr>
{% endfor %}
</tbody></table>
{% endcall %}
{% endmacro %}
{% block title %}{{ name }} – model card{% endblock %}
{% block bar %}<a id="back" href="index.html" hidden>← All models</a>{% endblock %}
{% block content %}
<h1>{{ name }}</h1>
<p class="lead">{{ about }}</p>
<ul class="labels">
<li>{{ weights_label() }}</li>
<li>{{ golden_label() }}</li>
<li><span class="label">{{ task }}</span></li>
{% if benchmark_only %}<li><span class="label warn">for benchmarks only</span></li>{% endif %}
</ul>
<dl class="facts">
<div><dt>Size</dt><dd>{{ size | size }}<small>{{ size | integer }} bytes</small></dd></div>
<div><dt>Parameters</dt><dd>{{ parameters | count }}<small>{{ parameters | integer }}</small></dd></div>
<div><dt>Operators</dt><dd>{{ operators | integer }}<small>{{ operator_rows | length }} kinds</small></dd></div>
<div><dt>Computes in</dt><dd>{{ arithmetic }}</dd></div>
<div><dt>Input</dt><dd>{{ input_text }}</dd></div>
<div><dt>Needs at least</dt><dd>{{ minimum_runtime or "not known" }}<small>TensorFlow Lite</small></dd></div>
</dl>
<nav aria-label="On this page"><ul class="contents">
{% for id, title in [("weights", "Weights"), ("recipe", "Recipe"), ("ends", "Inputs and outputs"), ("operators", "Operators")] + ([("runs", "Where it runs")] if compatibility else []) + [("size", "Size by layer"), ("quantization", "Quantization"), ("sibling", "Against the float model"), ("provenance", "Provenance"), ("reproducibility", "Reproducibility"), ("licence", "Licence")] %}
<li><a href="#{{ id }}">{{ title }}</a></li>
{% endfor %}
</ul></nav>

<section class="panel" id="weights" aria-labelledby="weights-title">
<h2 id="weights-title">Weights</h2>
{% if weights == "seeded" %}
<div class="notice bad"><p><strong>Synthetic.</strong> {{ limitations | join(" ") or "The weights were drawn from a seed and are not trained." }}</p></div>
{% elif weights == "own" %}
<div class="notice good"><p><strong>Own.</strong> These are the weights of the repository that has the model, by digest.</p></div>
{% else %}
<div class="notice good"><p><strong>Released.</strong> These are the published weights, by digest.</p></div>
{% endif %}
<dl class="pairs">
<dt>Origin</dt><dd>{{ build.weights_description }}</dd>
{% if measured and weights != "seeded" %}<dt>Measured</dt><dd>{{ measured }}</dd>{% endif %}
{% if architecture %}<dt>Architecture</dt><dd><code>{{ architecture }}</code></dd>{% endif %}
<dt>Description in the file</dt><dd>{{ report.description }}</dd>
</dl>
</section>

<section class="panel" id="recipe" aria-labelledby="recipe-title">
<h2 id="recipe-title">Recipe</h2>
<dl class="pairs">
<dt>Target</dt><dd><code>{{ build.target }}</code></dd>
{% if build.converter %}
<dt>Converter</dt><dd>{{ "TOCO" if build.converter == "toco" else "the MLIR converter" }} of TensorFlow {{ build.tensorflow_version }}</dd>
<dt>Interpreter</dt><dd>{{ "CPython from the project’s own packages" if build.interpreter == "hermetic" else build.interpreter }}</dd>
<dt>Quantization ranges</dt><dd>{{ "from quantization-aware training" if build.quantization_aware else "none from training" }}</dd>
{% else %}
<dt>Converter</dt><dd>not converted here</dd>
{% endif %}
</dl>
{% if flags %}
<h3>What the recipe sets</h3>
{% call scroll("What the recipe sets") %}
<table>
<thead><tr><th scope="col">setting</th><th scope="col">value</th></tr></thead>
<tbody>
{% for name, value in flags %}<tr><th scope="row" class="whole"><code>{{ name }}</code></th><td class="name"><code>{{ value | breakable }}</code></td></tr>
{% endfor %}
</tbody></table>
{% endcall %}
{% endif %}
<details><summary>Each step, as it was declared</summary>
{% for label, step in recipe.items() %}
<h3><code>{{ label }}</code> <span class="soft">{{ step.rule }}</span></h3>
<pre tabindex="0" role="region" aria-label="Attributes of {{ label }}">{% for key, value in step.attributes.items() %}{{ key }} = {{ value | tojson }}
{% endfor %}</pre>
{% endfor %}
</details>
</section>

<section class="panel" id="ends" aria-labelledby="ends-title">
<h2 id="ends-title">Inputs and outputs</h2>
<p>{{ preprocessing }}</p>
<h3>Inputs</h3>
{{ ends_table(inputs, "Inputs") }}
<h3>Outputs</h3>
{{ ends_table(outputs, "Outputs") }}
</section>

<section class="panel" id="operators" aria-labelledby="operators-title">
<h2 id="operators-title">Operators</h2>
{% call scroll("Operators") %}
<table>
<thead><tr><th scope="col">operator</th><th scope="col">group</th><th scope="col">version</th><th scope="col" class="number">count</th><th scope="col"><span class="visually-hidden">share</span></th></tr></thead>
<tbody>
{% for row in operator_rows %}
<tr><th scope="row" class="whole"><code>{{ row.name }}</code></th><td class="whole"><span class="dot k{{ row.kind }}"></span>{{ kind_names[row.kind] }}</td><td>{{ row.versions }}</td><td class="number">{{ row.count | integer }}</td>
<td><svg class="meter" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect class="k{{ row.kind }}" width="{{ row.width }}" height="10"/></svg></td></tr>
{% endfor %}
</tbody></table>
{% endcall %}
</section>

{% if compatibility %}
{% set targets = compatibility.targets %}
<section class="panel" id="runs" aria-labelledby="runs-title">
<h2 id="runs-title">Where it runs</h2>
<p>It needs TensorFlow Lite {{ compatibility.needed_runtime or "of a version that is not known" }} or newer, numbered as TensorFlow, by TensorFlow’s own table{% if compatibility.unknown_runtimes %}; the table lacks {{ compatibility.unknown_runtimes | join(", ") }}{% endif %}.
So many of its operators run on each of these; the others run on the CPU.</p>
<dl class="pairs">
{% for target in targets.values() %}
<dt>{{ target.name }}</dt><dd>{% if target.problem %}not known: {{ target.problem }}{% else %}{{ target.operators | integer }} of {{ compatibility.count | integer }}{% endif %} <span class="soft">{{ target.said_by }}</span></dd>
{% endfor %}
<dt>Ethos-U</dt><dd>not compiled for this page; Arm’s compiler Vela says it in <code>{{ build.target }}.ethos_u</code></dd>
</dl>
{% call scroll("Where its operators run") %}
<table>
<thead><tr><th scope="col">operator</th><th scope="col">version</th><th scope="col">since</th><th scope="col" class="number">count</th>{% for target in targets.values() %}<th scope="col" class="number">{{ target.name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in compatibility.operators %}
<tr><th scope="row" class="whole"><code>{{ row.name }}</code></th><td>{{ row.version }}</td><td>{{ row.minimum_runtime or "not known" }}</td><td class="number">{{ row.count | integer }}</td>{% for key in targets %}<td class="number">{{ "–" if row[key] is none else row[key] | integer }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table>
{% endcall %}
{% for target in targets.values() if target.reasons %}
<details><summary>Why operators are not on: {{ target.name }}</summary>
{% call scroll("Reasons, " ~ target.name, true) %}
<table>
<thead><tr><th scope="col">operator</th><th scope="col" class="number">count</th><th scope="col">reason</th></tr></thead>
<tbody>
{% for row in target.reasons %}<tr><th scope="row" class="whole"><code>{{ row.operator }}</code></th><td class="number">{{ row.at | length }}</td><td>{{ row.reason }}</td></tr>
{% endfor %}
</tbody></table>
{% endcall %}
</details>
{% endfor %}
</section>
{% endif %}

<section class="panel" id="size" aria-labelledby="size-title">
<h2 id="size-title">Size by layer</h2>
{% if tiles %}
<p>Each tile is a layer, as large as its constants in the file; of those that several layers share, the first has them.</p>
<svg class="map" viewBox="0 0 {{ map_width }} {{ map_height }}" role="img" aria-labelledby="map-title map-text">
<title id="map-title">Size by layer</title>
<desc id="map-text">{{ layer_rows | length }} layers; the largest is {{ layer_rows[0].name }} with {{ layer_rows[0].size | size }}, {{ (layer_rows[0].size / size) | share }} of the file. The table below says the same.</desc>
{% for tile in tiles %}
<g><title>{{ tile.title }}</title><rect class="k{{ tile.kind }}" x="{{ tile.x }}" y="{{ tile.y }}" width="{{ tile.width }}" height="{{ tile.height }}" rx="3"/>
{% for line in tile.lines %}<text x="{{ tile.x + 8 }}" y="{{ tile.y + 19 + 17 * loop.index0 }}"{% if loop.last %} class="said"{% endif %}>{{ line }}</text>{% endfor %}</g>
{% endfor %}
</svg>
<ul class="legend" aria-label="Colours">
{% for kind in map_kinds %}<li><span class="dot k{{ kind }}"></span>{{ kind_names[kind] }}</li>{% endfor %}
</ul>
<details><summary>The same as a table</summary>
{% call scroll("Size by layer", true) %}
<table>
<thead><tr><th scope="col">layer</th><th scope="col">operator</th><th scope="col" class="number">parameters</th><th scope="col" class="number">bytes</th><th scope="col" class="number">share of the file</th></tr></thead>
<tbody>
{% for layer in layer_rows %}
<tr><th scope="row" class="name"><code>{{ layer.name | layer | breakable }}</code></th><td class="whole"><code>{{ layer.operator }}</code></td><td class="number">{{ layer.parameters | integer }}</td><td class="number">{{ layer.size | integer }}</td><td class="number">{{ (layer.size / size) | share }}</td></tr>
{% endfor %}
</tbody></table>
{% endcall %}
</details>
{% else %}
<p>No operator reads a constant.</p>
{% endif %}
<h3>What the file’s bytes are</h3>
{% call scroll("What the file’s bytes are") %}
<table>
<thead><tr><th scope="col">part</th><th scope="col" class="number">bytes</th><th scope="col" class="number">share</th></tr></thead>
<tbody>
{% for part in parts %}
<tr><th scope="row">{{ part.name }}</th><td class="number">{{ part.size | integer }}</td><td class="number">{{ part.share | share }}</td></tr>
{% endfor %}
</tbody></table>
{% endcall %}
</section>

<section class="panel" id="quantization" aria-labelledby="quantization-title">
<h2 id="quantization-title">Quantization</h2>
{% if report.totals.quantized_bytes %}
<p>{{ report.totals.quantized_share | share }} of the bytes that stand for real numbers are quantized integers.</p>
{% else %}
<p>No weight is quantized.</p>
{% endif %}
{% if weight_rows %}
<h3>Weights by layer</h3>
<p>Histograms go over the stored integers of a quantized layer, and from the least to the largest value of another.
“At the ends” is the share of stored integers at either end of their range: with a scale that is drawn from the largest
weight, each channel has at least one there; many mean that weights were cut off.</p>
{% call scroll("Weights by layer", true) %}
<table>
<thead><tr><th scope="col">layer</th><th scope="col">type</th><th scope="col">shape</th><th scope="col" class="number">least</th><th scope="col" class="number">largest</th><th scope="col" class="number">scales</th><th scope="col" class="number">zeros</th><th scope="col" class="number">at the ends</th><th scope="col">distribution</th></tr></thead>
<tbody>
{% for row in weight_rows %}
{% set d = row.distribution %}
<tr><th scope="row" class="name"><code>{{ row.layer | layer | breakable }}</code></th><td>{{ d.dtype | lower }}</td><td class="mono whole">{{ d.shape | shape }}</td><td class="number">{{ d.low | real }}</td><td class="number">{{ d.high | real }}</td><td class="number">{{ d.scales or "–" }}</td><td class="number">{{ d.zeros | share }}</td><td class="number">{{ "–" if d.clipped is none else d.clipped | share }}</td>
<td><svg class="histogram" viewBox="0 0 128 32" preserveAspectRatio="none" aria-hidden="true"><path class="k{{ row.kind }}" d="{{ row.path }}"/></svg></td></tr>
{% endfor %}
</tbody></table>
{% endcall %}
{% endif %}
{% if activation_rows %}
<h3>Ranges of what is computed</h3>
<p>What each quantized tensor can hold, on a scale that is linear around 0 and logarithmic beyond ±0.1.
{% if comparison and comparison.clipped %}“Clipped” is the share of values that stood at an end of the range on the photographs; an end that is 0 is what a rectifier gives, and not counted.{% endif %}</p>
{% call scroll("Ranges of what is computed", true) %}
<table>
<thead><tr><th scope="col">tensor</th><th scope="col">type</th><th scope="col" class="number">scale</th><th scope="col" class="number">zero point</th><th scope="col" class="number">from</th><th scope="col" class="number">to</th><th scope="col" class="number">clipped</th>
<th scope="col"><span class="visually-hidden">range</span><svg class="axis" viewBox="0 0 240 20" aria-hidden="true">{% for x, value in axis.marks %}<text x="{{ x }}" y="14">{{ value | string | replace("-", "−") }}</text>{% endfor %}</svg></th></tr></thead>
<tbody>
{% for row in activation_rows %}
<tr><th scope="row" class="name"><code>{{ row.name | layer | breakable }}</code></th><td>{{ row.type }}</td><td class="number">{{ row.scale | real }}</td><td class="number">{{ row.zero_point | real }}</td><td class="number">{{ row.low | real }}</td><td class="number">{{ row.high | real }}</td><td class="number">{{ "–" if row.clipped is none else row.clipped | share }}</td>
<td><svg class="range" viewBox="0 0 240 20" preserveAspectRatio="none" aria-hidden="true"><path class="line" d="M0 10h240"/><rect class="k0" x="{{ axis.at(row.low) }}" y="5" width="{{ [1, (axis.at(row.high) - axis.at(row.low)) | round(1)] | max }}" height="10"/><path class="zero" d="M{{ axis.at(0) }} 0v20"/></svg></td></tr>
{% endfor %}
</tbody></table>
{% endcall %}
{% endif %}
</section>

<section class="panel" id="sibling" aria-labelledby="sibling-title">
<h2 id="sibling-title">Against the float model</h2>
{% if not comparison %}
<p>{{ "It computes in floating point itself." if report.arithmetic == "float" else "No float sibling is declared for it." }}</p>
{% elif comparison.reason %}
<p>Not compared with <code>{{ comparison.float_model }}</code>. {{ comparison.reason }}</p>
{% else %}
<p>How far its outputs are from those of <code>{{ comparison.float_model }}</code> on {{ comparison.outputs[0].photographs | length }} photographs{% if weights == "seeded" %}; the ranges of seeded models were measured on all of these but camera.png{% endif %}.
{% if comparison.before_post_processing %}Compared are the encoded boxes and scores that the post-processing reads: it sorts and cuts, so that the least difference may exchange two detections. {% endif %}
{% if weights == "seeded" %}With synthetic weights this tells of the arithmetic, not of accuracy.{% endif %}</p>
<ul class="legend" aria-label="Signs"><li><span class="key"></span>half of the errors</li><li><span class="key p90"></span>90 %</li><li><span class="key p99"></span>99 %</li><li><span class="key largest"></span>the largest</li></ul>
{% for output in comparison.outputs %}
{% set most = output.photographs | map(attribute="largest") | max %}
<h3>{% if comparison.before_post_processing %}{{ ["Encoded boxes", "Scores"][loop.index0] }} {% endif %}<code>{{ output.name | layer }}</code> <span class="soft">float range {{ output.range[0] | real }} to {{ output.range[1] | real }}</span></h3>
{% call scroll("Errors of " ~ output.name) %}
<table>
<thead><tr><th scope="col">photograph</th><th scope="col" class="number">median</th><th scope="col" class="number">90 %</th><th scope="col" class="number">99 %</th><th scope="col" class="number">largest</th><th scope="col" class="number">equal</th><th scope="col" class="number">signal to error</th><th scope="col"><span class="visually-hidden">drawing, </span>0 to {{ most | real }}</th></tr></thead>
<tbody>
{% for row in output.photographs %}
<tr><th scope="row">{{ row.photograph }}</th><td class="number">{{ row.median | real }}</td><td class="number">{{ row.p90 | real }}</td><td class="number">{{ row.p99 | real }}</td><td class="number">{{ row.largest | real }}</td><td class="number">{{ row.equal | share }}</td><td class="number">{{ "–" if row.decibels is none else row.decibels ~ " dB" }}</td>
<td>{% if most %}<svg class="errors" viewBox="0 0 500 20" preserveAspectRatio="none" aria-hidden="true"><rect class="back" width="500" height="20"/>
{% for part in ["p99", "p90", "median"] %}<rect class="{{ part }}" y="3" width="{{ (row[part] / most * 500) | round(1) }}" height="14"/>{% endfor %}
<path class="largest" d="M{{ [1, (row.largest / most * 500) | round(1) - 1] | max }} 0v20"/></svg>{% else %}no error{% endif %}</td></tr>
{% endfor %}
</tbody></table>
{% endcall %}
{% endfor %}
{% endif %}
</section>

<section class="panel" id="provenance" aria-labelledby="provenance-title">
<h2 id="provenance-title">Provenance</h2>
<p>What the model was made from, each by its sha256, is stated in <a href="{{ name }}.provenance.json">{{ name }}.provenance.json</a> (in-toto, SLSA v1)
and, as a bill of materials, in <a href="{{ name }}.mlbom.json">{{ name }}.mlbom.json</a>; both stand beside this page.</p>
<dl class="pairs">
{% for subject in subjects + byproducts %}<dt>{{ subject.name }}</dt><dd><code class="digest">{{ subject.digest.sha256 }}</code></dd>{% endfor %}
</dl>
{% for group in materials %}
<details><summary>{{ group.rows | length }} × {{ group.kind }}</summary>
{% call scroll(group.kind, true) %}
<table>
<thead><tr><th scope="col">name</th><th scope="col">sha256</th></tr></thead>
<tbody>
{% for row in group.rows %}<tr><th scope="row" class="name">{{ row.name | breakable }}</th><td><code class="digest">{{ row.sha256 }}</code></td></tr>
{% endfor %}
</tbody></table>
{% endcall %}
</details>
{% endfor %}
</section>

<section class="panel" id="reproducibility" aria-labelledby="reproducibility-title">
<h2 id="reproducibility-title">Reproducibility</h2>
{% if golden == "equal" %}
<div class="notice good"><p><strong>Equal.</strong> The file has the digest that its lock holds for it.</p></div>
{% elif golden == "different" %}
<div class="notice bad"><p><strong>Different.</strong> Its lock holds another digest for these weights and this TensorFlow.</p></div>
{% else %}
<div class="notice warn"><p><strong>Not known.</strong> No lock holds a digest for these weights and this TensorFlow.</p></div>
{% endif %}
<dl class="pairs">
<dt>sha256 of the file</dt><dd><code class="digest">{{ sha256 }}</code></dd>
<dt>golden sha256</dt><dd><code class="digest">{{ golden_sha256 or "none" }}</code></dd>
</dl>
{% if reproducibility_test %}
<p>To convert it once more, uncached and under another environment, and compare:</p>
<pre tabindex="0" role="region" aria-label="Command">bazel test {{ build.target }}.reproducibility_test --cache_test_results=no</pre>
{% endif %}
</section>

<section class="panel" id="licence" aria-labelledby="licence-title">
<h2 id="licence-title">Licence</h2>
<p>The model: <strong>{{ licences.model | join(", ") or "not stated" }}</strong>.{% if weights == "seeded" %} The photographs on which its synthetic weights were calibrated are in the public domain or CC0.{% endif %}</p>
{% if licences.components %}
<details><summary>Licences of what it was made with</summary>
{% call scroll("Licences") %}
<table>
<thead><tr><th scope="col">name</th><th scope="col">version</th><th scope="col">licence</th></tr></thead>
<tbody>
{% for row in licences.components %}<tr><th scope="row" class="name">{{ row.name | breakable }}</th><td>{{ row.version or "–" }}</td><td>{{ row.licences }}</td></tr>
{% endfor %}
</tbody></table>
{% endcall %}
</details>
{% endif %}
</section>
{% endblock %}
