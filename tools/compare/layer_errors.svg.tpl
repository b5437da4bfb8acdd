{% set height = 520 + 18 * named|length %}
{% if on_page %}
<svg viewBox="0 30 980 {{ height - 30 }}" role="img" aria-labelledby="title what">
{% else %}
<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 980 {{ height }}" role="img" aria-labelledby="title what">
{% endif %}
<title id="title">{{ title }}</title>
<desc id="what">The error and the signal to noise ratio of each layer of the quantized model, in execution order.</desc>
{% if not on_page %}
<style>
svg { --page: #ffffff; --text: #1d1f21; --soft: #5d6166; --line: #dcdcd6;
  --k0: #2f6fd0; --k1: #c2570c; --k2: #1f8a5b; --k3: #8a4fc4; --k4: #b8860b; --k5: #7b8087; }
@media (prefers-color-scheme: dark) {
svg { --page: #16181a; --text: #e7e7e3; --soft: #a3a8ad; --line: #383c40;
  --k0: #6ea8ff; --k1: #ff9a57; --k2: #55cf97; --k3: #c79bff; --k4: #f1c562; --k5: #9aa0a6; }
}
.k0 { fill: var(--k0); } .k1 { fill: var(--k1); } .k2 { fill: var(--k2); } .k3 { fill: var(--k3); } .k4 { fill: var(--k4); } .k5 { fill: var(--k5); }
{% include "layer_errors.css" %}
</style>
<rect class="backdrop" width="100%" height="100%"/>
<text class="heading" x="{{ left }}" y="28">{{ title }}</text>
{% endif %}
{% for panel in panels %}
<text class="soft" x="{{ left }}" y="{{ panel.top - 18 }}">{{ panel.title }}</text>
{% for tick in panel.ticks %}
<line class="line" x1="{{ left }}" x2="{{ right }}" y1="{{ panel.y(tick) }}" y2="{{ panel.y(tick) }}"/>
<text class="soft end" x="{{ left - 8 }}" y="{{ panel.y(tick) + 4 }}">{{ "%g"|format(tick) }}</text>
{% endfor %}
{% endfor %}
{% for bar in bars %}
<g><title>{{ bar.text }}</title>
<rect class="{{ bar.colour }}" x="{{ bar.x }}" width="{{ bar.width }}" y="{{ bar.error }}" height="{{ (errors.top + errors.height - bar.error)|round(2) }}"/>
<line class="floor" x1="{{ bar.x }}" x2="{{ (bar.x + bar.width)|round(2) }}" y1="{{ bar.rounding }}" y2="{{ bar.rounding }}"/>
<rect class="{{ bar.colour }}" x="{{ bar.x }}" width="{{ bar.width }}" y="{{ bar.noise }}" height="{{ (noise.top + noise.height - bar.noise)|round(2) }}"/></g>
{% if bar.rank %}
<text class="rank middle" x="{{ bar.middle }}" y="{{ bar.error - 4 }}">{{ bar.rank }}</text>
{% endif %}
{% endfor %}
{% for colour, name in legend %}
<rect class="{{ colour }}" x="{{ left + 168 * loop.index0 }}" y="468" width="11" height="11"/>
<text x="{{ left + 16 + 168 * loop.index0 }}" y="478">{{ name|truncate(20, true, "…", 0) }}</text>
{% endfor %}
<line class="floor" x1="{{ right - 250 }}" x2="{{ right - 232 }}" y1="48" y2="48"/>
<text class="soft" x="{{ right - 226 }}" y="52">error of rounding alone</text>
{% for rank, text in named %}
<text x="{{ left }}" y="{{ 492 + 18 * loop.index }}"><tspan class="rank">{{ rank }}</tspan> {{ text }}</text>
{% endfor %}
</svg>
