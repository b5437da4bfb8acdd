<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ title }}</title>
<style>
:root { --page: #ffffff; --text: #1d1f21; --soft: #5d6166; --line: #dcdcd6; }
@media (prefers-color-scheme: dark) { :root { --page: #16181a; --text: #e7e7e3; --soft: #a3a8ad; --line: #383c40; } }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
svg { width: 100%; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: 600; padding: .5rem 0; }
th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; white-space: nowrap; }
th { color: var(--soft); font-size: .85rem; }
th:nth-child(2), th:nth-child(3), td:nth-child(2), td:nth-child(3) { text-align: left; white-space: normal; overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
{{ svg }}
<div class="scroll" tabindex="0" role="region" aria-label="All layers">
<table>
<caption>All layers, worst first</caption>
<tr><th scope="col">#</th><th scope="col">operator</th><th scope="col">layer</th><th scope="col">RMS</th><th scope="col">rounding</th><th scope="col">largest</th><th scope="col">dB</th><th scope="col">clipped</th></tr>
{% for row in rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</table>
</div>
</main>
</body>
</html>
