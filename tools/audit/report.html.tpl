<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Reproducibility audit</title>
<style>
:root {
  --page: #f7f7f5; --card: #ffffff; --text: #1d1f21; --soft: #5d6166; --line: #dcdcd6;
  --good: #1a6b3a; --good-back: #e0f1e5; --bad: #a3221b; --bad-back: #fbe4e1;
  --warn: #7a5200; --warn-back: #fbeecb;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #16181a; --card: #1f2225; --text: #e7e7e3; --soft: #a3a8ad; --line: #383c40;
    --good: #7fd19b; --good-back: #16331f; --bad: #ff9d94; --bad-back: #431a17;
    --warn: #f1c562; --warn-back: #3b2d0b;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .4rem 0; }
.soft { color: var(--soft); }
.verdict { display: inline-block; padding: .1rem .55rem; border-radius: 1rem; font-weight: 600; white-space: nowrap; }
.equal, .applied { color: var(--good); background: var(--good-back); }
.diverged, .failed, .divergence, .failure { color: var(--bad); background: var(--bad-back); }
.leaked, .leak, .missing { color: var(--warn); background: var(--warn-back); }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; background: var(--card); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .7rem; border-bottom: 1px solid var(--line); }
tr:last-child > td, tr:last-child > th { border-bottom: 0; }
th { font-size: .85rem; color: var(--soft); font-weight: 600; white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
code { font: .87em/1.5 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
/* A label's or a digest's own width counts: nothing breaks while there is room. */
.label { white-space: nowrap; }
.file { display: grid; grid-template-columns: 13ch auto; justify-content: start; column-gap: .6rem; }
/* Shown in part; selected, and so copied, as a whole. */
.digest { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; user-select: all; }
.value, .value + td { min-width: 12rem; }
.made td { overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  .targets, .targets tbody, .targets tr, .targets td { display: block; }
  .targets tr:first-child { display: none; }
  .targets tr { border-bottom: 1px solid var(--line); padding: .4rem 0; }
  .targets tr:last-child { border-bottom: 0; }
  .targets td, .targets td.number { border: 0; padding: .1rem .7rem; text-align: left; }
  .targets .label { white-space: normal; }
  .targets .file { grid-template-columns: 100%; overflow-wrap: anywhere; }
  .targets td[data-unit]::after { content: " " attr(data-unit); }
}
article { border: 1px solid var(--line); border-radius: .5rem; background: var(--card); padding: 1rem; margin: 0 0 1rem; }
article .scroll { margin-top: .6rem; }
.bytes code { white-space: nowrap; }
.cause { margin-top: .6rem; font-weight: 600; }
ul { margin: .4rem 0; padding-left: 1.3rem; }
summary { cursor: pointer; color: var(--soft); margin-top: .6rem; }
</style>
</head>
<body>
<main>
<h1>Reproducibility audit</h1>
{% if report.sound %}
<p><span class="verdict equal">reproducible</span> {{ report.targets | length }} target(s), built
{{ report.rounds | length + 1 }} times from nothing: every action had equal inputs and outputs{{ "" if report.untried else ", and none read
what it does not declare" }}.</p>
{% else %}
<p><span class="verdict diverged">{{ report.findings | length }} finding(s)</span> in
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
<article>
<h3><span class="verdict {{ finding.kind }}">{{ finding.kind }}</span> <code>{{ finding.action }}</code></h3>
<p>{{ finding.message }} <span class="soft">(round {{ finding.round }})</span></p>
{% if finding.cause %}<p class="cause">Cause: {{ finding.cause }}</p>{% endif %}
{% for file in finding.files %}
<div class="scroll bytes"><table>
<tr><th colspan="3"><code>{{ file.path }}</code>, {{ file.sizes[0] }} and {{ file.sizes[1] }} bytes</th></tr>
{% for field in file.fields %}<tr><td colspan="3">{{ field }}</td></tr>{% endfor %}
<tr><th class="number">offset</th><th>plain round</th><th>round {{ finding.round }}</th></tr>
{% for run in file.runs %}
<tr><td class="number">{{ run.offset }}</td><td><code>{{ run.left or "nothing" }}</code></td><td><code>{{ run.right or "nothing" }}</code></td></tr>
{% endfor %}
</table></div>
{% endfor %}
{% if finding.tried %}
<details><summary>run again, one change at a time</summary>
<ul>{% for tried in finding.tried %}<li>{{ tried.what }}: {{ tried.result }}</li>{% endfor %}</ul>
</details>
{% endif %}
{% if finding.others %}
<details><summary>{{ finding.others | length }} other action(s) {{ "read it too" if finding.kind == "leak" else "differ because of it" }}</summary>
<ul>{% for other in finding.others %}<li><code>{{ other }}</code></li>{% endfor %}</ul>
</details>
{% endif %}
</article>
{% endfor %}
{% endif %}

<h2>Targets</h2>
<div class="scroll"><table class="targets">
<tr><th>target</th><th>verdict</th><th class="number">bytes</th><th class="number">seconds</th><th>sha256 of what it made</th></tr>
{% for target in report.targets %}
<tr><td class="label"><code>{{ target.label }}</code></td><td><span class="verdict {{ target.verdict }}">{{ target.verdict }}</span></td>
<td class="number" data-unit="bytes">{{ "{:,}".format(target.size) }}</td><td class="number" data-unit="seconds">{{ target.seconds }}</td>
<td>{% for name, digest in target.files %}<div class="file"><code class="digest" title="{{ digest }}">{{ digest }}</code> {{ name }}</div>{% endfor %}</td></tr>
{% endfor %}
</table></div>

<h2>Rounds</h2>
{% for round in report.rounds %}
<article>
<h3>{{ round.name }}</h3>
<p class="soft">{{ round.counts.actions }} actions, {{ round.counts.perturbed_inside }} of them perturbed from inside,
{{ round.counts.traced }} traced; {{ round.counts.inputs }} inputs and {{ round.counts.outputs }} outputs compared;
{{ round.counts.seconds }} s</p>
<div class="scroll"><table>
<tr><th>what was changed</th><th>to</th><th></th></tr>
{% for applied in round.applied %}
<tr><td>{{ applied.what }}</td><td class="value"><code>{{ applied.value }}</code></td>
<td>{% if applied.reason %}<span class="verdict missing">not applied</span> {{ applied.reason }}{% else %}<span class="verdict applied">applied</span>{% endif %}</td></tr>
{% endfor %}
</table></div>
</article>
{% endfor %}

<h2>Made with</h2>
<div class="scroll"><table class="made">
{% for what, value in (
    ("commit", report.made_with.commit), ("sources changed since", report.made_with.changes),
    ("Bazel", report.made_with.bazel), ("its server's sha256", report.made_with.bazel_server), ("kernel", report.made_with.kernel),
    ("processor", report.made_with.processor), ("begun", report.made_with.date),
) %}
<tr><th>{{ what }}</th><td>{{ value }}</td></tr>
{% endfor %}
<tr><th>options</th><td>{% for option in report.made_with.options %}<code>{{ option }}</code>{{ " " }}{% endfor %}</td></tr>
</table></div>
</main>
</body>
</html>
