{% extends "page.html.tpl" %}
{% block title %}Models{% endblock %}
{% block bar %}<span class="soft">{{ rows | length }} models, built here</span>{% endblock %}
{% macro heading(key, title, number=false) %}
<th scope="col" role="columnheader"{% if number %} class="number"{% endif %}{% if key == "name" %} aria-sort="ascending"{% endif %} data-key="{{ key }}"><button type="button" class="sort">{{ title }}<span class="arrow" aria-hidden="true"></span></button></th>
{% endmacro %}
{% block content %}
<h1>Models</h1>
<p class="lead">Reproducible TensorFlow Lite models: what each one is, how large it is, what it computes in, and whether it is the locked file.</p>
{% if synthetic %}
<div class="notice bad"><p><strong>{{ "All" if synthetic == rows | length else synthetic }} of these models have synthetic weights.</strong> They are drawn from a seed, not trained: use these models for latency, size and conversion work. They recognise nothing.</p></div>
{% endif %}
<form class="controls panel" role="search" aria-label="Models">
<div class="field wide"><label for="search">Search</label><input id="search" type="search" autocomplete="off" spellcheck="false" placeholder="Name, task, numbers …"></div>
{% for key, title, choices in filters %}
<div class="field"><label for="filter-{{ key }}">{{ title }}</label>
<select id="filter-{{ key }}" data-filter="{{ key }}"><option value="">all</option>
{% for choice in choices %}<option>{{ choice }}</option>{% endfor %}
</select></div>
{% endfor %}
<div class="field narrow-only"><label for="order">Order by</label>
<select id="order">{% for key, title in orders %}<option value="{{ key }}">{{ title }}</option>{% endfor %}</select></div>
<button type="reset">Clear</button>
</form>
<p class="found" id="found" role="status" aria-live="polite">{{ rows | length }} models</p>
<div class="scroll" role="region" aria-label="Models" tabindex="0">
<table role="table" id="models">
<caption class="visually-hidden">All models; the buttons in the first row sort.</caption>
<thead role="rowgroup"><tr role="row">
{{ heading("name", "Model") }}
{{ heading("task", "Task") }}
{{ heading("input", "Input") }}
{{ heading("arithmetic", "Computes in") }}
{{ heading("size", "Size", true) }}
{{ heading("parameters", "Parameters", true) }}
<th scope="col" role="columnheader">Size by layer</th>
{{ heading("operators", "Operators", true) }}
{{ heading("decibels", "To float", true) }}
{{ heading("golden", "Digest") }}
</tr></thead>
<tbody role="rowgroup">
{% for row in rows %}
<tr role="row" data-name="{{ row.name }}" data-task="{{ row.task }}" data-input="{{ row.input }}" data-weights="{{ row.weights }}" data-arithmetic="{{ row.arithmetic }}" data-size="{{ row.size }}" data-parameters="{{ row.parameters }}" data-operators="{{ row.operators }}" data-decibels="{{ "" if row.decibels is none else row.decibels }}" data-golden="{{ row.golden }}">
<th scope="row" role="rowheader" class="model"><a href="{{ row.name }}.card.html?catalogue">{{ row.name | breakable }}</a>
{% if row.weights == "seeded" %}<span class="label bad">synthetic</span>{% elif row.weights == "own" %}<span class="label">own</span>{% else %}<span class="label good">released</span>{% endif %}
<span class="about">{{ row.about }}</span></th>
<td role="cell" data-title="Task">{{ row.task }}</td>
<td role="cell" data-title="Input" class="input">{{ row.input_text }}</td>
<td role="cell" data-title="Computes in">{{ row.arithmetic }}</td>
<td role="cell" data-title="Size" class="number">{{ row.size | size }}</td>
<td role="cell" data-title="Parameters" class="number">{{ row.parameters | count }}</td>
<td role="cell" data-title="Size by layer"><svg class="spark" viewBox="0 0 96 24" role="img" aria-label="{{ row.layers_text }}"><path d="{{ row.layers_path }}"/></svg></td>
<td role="cell" data-title="Operators" class="number"><span class="counted">{{ row.operators | integer }}<svg class="mix" viewBox="0 0 120 14" preserveAspectRatio="none" role="img" aria-label="{{ row.mix_text }}">{% for part in row.mix_parts %}<rect class="k{{ part.kind }}" x="{{ part.x }}" width="{{ part.width }}" height="14"><title>{{ part.title }}</title></rect>{% endfor %}</svg></span></td>
<td role="cell" data-title="To float" class="number">{% if row.decibels is none %}<span class="soft">–</span>{% else %}{{ "%.1f" | format(row.decibels) }} dB{% endif %}</td>
<td role="cell" data-title="Digest">{% if row.golden == "equal" %}<span class="label good">equal</span>{% elif row.golden == "different" %}<span class="label bad">different</span>{% else %}<span class="label warn">none</span>{% endif %}</td>
</tr>
{% endfor %}
</tbody>
</table>
</div>
<p class="nothing panel" id="nothing" hidden>No model fits. <button type="button" id="clear">Clear search and filters</button></p>
<h2 class="after">Reading the table</h2>
<ul class="legend" aria-label="Colours of the operators">
{% for name in kind_names %}<li><span class="dot k{{ loop.index0 }}"></span>{{ name }}</li>{% endfor %}
</ul>
<p class="soft">“To float” is the least ratio of signal and error against the float sibling, of any output on any photograph: 6 dB more halve the error.
“Digest” says whether the file is the one of its lock. “Size by layer” shows where its constants are, from input to output.</p>
{% endblock %}
