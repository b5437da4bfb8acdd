{% extends "page.html.tpl" %}
{% block title %}{{ title }}{% endblock %}
{% block content %}
<h1>{{ title }}</h1>
<section class="panel" aria-label="Error of each layer">
{% include "layer_errors.svg.tpl" %}
</section>
<section class="panel" aria-labelledby="layers">
<h2 id="layers">All layers, worst first</h2>
<div class="scroll" tabindex="0" role="region" aria-label="All layers">
<table>
<thead><tr><th scope="col">layer</th><th scope="col">operator</th>
{% for name in ("#", "RMS", "rounding", "largest", "dB", "clipped") %}
<th scope="col" class="number">{{ name }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for layer, operator, numbers in rows %}
<tr><th scope="row"><code>{{ layer | breakable }}</code></th><td>{{ operator }}</td>
{%- for number in numbers %}<td class="number">{{ number }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
</div>
</section>
{% endblock %}
