{% extends "page.html.tpl" %}
{% macro scroll(label) %}
<div class="scroll" role="region" aria-label="{{ label }}" tabindex="0">{{ caller() }}</div>
{% endmacro %}
{% macro label(text) %}
{% set look = {"equal": "good", "reproducible": "good", "applied": "good", "leaked": "warn", "leak": "warn", "not applied": "warn", "not compared": "warn"} %}
<span class="label {{ look.get(text, "bad") }}">{{ text }}</span>
{%- endmacro %}
{% block title %}Reproducibility audit{% endblock %}
{% block content %}
<h1>Reproducibility audit</h1>
{% if report.sound %}
<p>{{ label("reproducible") }} {{ report.targets | length }} target(s), built
{{ report.rounds | length + 1 }} times from nothing: every action had equal inputs and outputs{{ "" if report.untried else ", and none read
what it does not declare" }}.</p>
{% else %}
<p>{{ label("%d finding(s)" | format(report.findings | length)) }} in
{{ report.targets | length }} target(s), built {{ report.rounds | length + 1 }} times from nothing.</p>
{% endif %}
{% if report.untried %}
<p>Not tried, so this page says nothing of it:</p>
<ul>{% for line in report.untried %}<li>{{ line }}</li>{% endfor %}</ul>
{% endif %}
<p class="soft">{% for verdict, count in verdicts.items() %}{{ count }} {{ verdict }}{{ ", " if not loop.last }}{% endfor %}</p>

{% if report.findings %}
<h2>Findings</h2>
{% for finding in report.findings %}
<article class="panel">
<h3>{{ label(finding.kind) }} <code>{{ finding.action }}</code></h3>
<p>{{ finding.message }} <span class="soft">(round {{ finding.round }})</span></p>
{% if finding.cause %}<p class="cause">Cause: {{ finding.cause }}</p>{% endif %}
{% for file in finding.files %}
{% call scroll("Bytes of " ~ file.path) %}
<table>
<caption><code>{{ file.path }}</code>, {{ file.sizes[0] }} and {{ file.sizes[1] }} bytes</caption>
<thead><tr><th scope="col" class="number">offset</th><th scope="col">plain round</th><th scope="col">round {{ finding.round }}</th></tr></thead>
<tbody>
{% for run in file.runs %}
<tr><th scope="row" class="number">{{ run.offset }}</th><td class="whole"><code>{{ run.left or "nothing" }}</code></td><td class="whole"><code>{{ run.right or "nothing" }}</code></td></tr>
{% endfor %}
</tbody></table>
{% endcall %}
{% if file.fields %}<ul>{% for field in file.fields %}<li>{{ field }}</li>{% endfor %}</ul>{% endif %}
{% endfor %}
{% if finding.tried %}
<details><summary>run again, one change at a time</summary>
<ul>{% for tried in finding.tried %}<li>{{ tried.what }}: {{ tried.result }}</li>{% endfor %}</ul>
</details>
{% endif %}
{% if finding.others %}
{% set what = {"leak": "other action(s) read it too", "failure": "target(s) were not built after it, so not compared"} %}
<details><summary>{{ finding.others | length }} {{ what.get(finding.kind, "other action(s) differ because of it") }}</summary>
<ul>{% for other in finding.others %}<li><code>{{ other }}</code></li>{% endfor %}</ul>
</details>
{% endif %}
</article>
{% endfor %}
{% endif %}

<section class="panel" aria-labelledby="targets">
<h2 id="targets">Targets</h2>
{% call scroll("Targets") %}
<table class="targets">
<thead><tr><th scope="col">target</th><th scope="col">verdict</th><th scope="col" class="number">bytes</th><th scope="col" class="number">seconds</th><th scope="col">sha256 of what it made</th></tr></thead>
<tbody>
{% for target in report.targets %}
<tr><th scope="row" class="target"><code>{{ target.label }}</code></th><td>{{ label(target.verdict) }}</td>
<td class="number" data-unit="bytes">{{ target.size | integer }}</td><td class="number" data-unit="seconds">{{ target.seconds }}</td>
<td>{% for name, digest in target.files %}<div class="file"><code class="digest" title="{{ digest }}">{{ digest }}</code> {{ name }}</div>{% endfor %}</td></tr>
{% endfor %}
</tbody></table>
{% endcall %}
</section>

<section class="panel" aria-labelledby="rounds">
<h2 id="rounds">Rounds</h2>
{% for round in report.rounds %}
<h3>{{ round.name }}</h3>
<p class="soft">{{ round.counts.actions }} actions, {{ round.counts.perturbed_inside }} of them perturbed from inside,
{{ round.counts.traced }} traced; {{ round.counts.inputs }} inputs and {{ round.counts.outputs }} outputs compared;
{{ round.counts.seconds }} s</p>
{% call scroll("Round " ~ round.name) %}
<table>
<thead><tr><th scope="col">what was changed</th><th scope="col">to</th><th scope="col">whether it was</th></tr></thead>
<tbody>
{% for applied in round.applied %}
<tr><th scope="row">{{ applied.what }}</th><td class="value"><code>{{ applied.value }}</code></td>
<td>{% if applied.reason %}{{ label("not applied") }} {{ applied.reason }}{% else %}{{ label("applied") }}{% endif %}</td></tr>
{% endfor %}
</tbody></table>
{% endcall %}
{% endfor %}
</section>

<section class="panel" aria-labelledby="made">
<h2 id="made">Made with</h2>
{% call scroll("Made with") %}
<table class="made">
<thead class="visually-hidden"><tr><th scope="col">what</th><th scope="col">value</th></tr></thead>
<tbody>
{% for what, value in (
    ("commit", report.made_with.commit), ("sources changed since", report.made_with.changes),
    ("Bazel", report.made_with.bazel), ("its server's sha256", report.made_with.bazel_server), ("kernel", report.made_with.kernel),
    ("processor", report.made_with.processor), ("begun", report.made_with.date),
) %}
<tr><th scope="row">{{ what }}</th><td>{{ value }}</td></tr>
{% endfor %}
<tr><th scope="row">options</th><td>{% for option in report.made_with.options %}<code>{{ option }}</code>{{ " " }}{% endfor %}</td></tr>
</tbody></table>
{% endcall %}
</section>
{% endblock %}
