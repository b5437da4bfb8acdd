{% set height = bottom + 78 + 18 * points|length %}
<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 {{ height }}" role="img" aria-labelledby="title what">
<title id="title">{{ title }}</title>
<desc id="what">Each recipe as a point: to the right its size, upwards its error. The budget is a dashed line.</desc>
<style>
svg { --page: #ffffff; --text: #1d1f21; --soft: #5d6166; --line: #dcdcd6; --k0: #2f6fd0; --k1: #c2570c; --k2: #1f8a5b;
  font: 13px system-ui, sans-serif; }
@media (prefers-color-scheme: dark) {
svg { --page: #16181a; --text: #e7e7e3; --soft: #a3a8ad; --line: #383c40; --k0: #6ea8ff; --k1: #ff9a57; --k2: #55cf97; }
}
.backdrop { fill: var(--page); } text { fill: var(--text); } .soft { fill: var(--soft); }
.heading { font-size: 15px; font-weight: 600; } .line { stroke: var(--line); } .limit { stroke: var(--text); stroke-dasharray: 5 4; }
.k0 { fill: var(--k0); } .k1 { fill: var(--k1); } .k2 { fill: var(--k2); } .chosen { stroke: var(--text); stroke-width: 2.5; }
.end { text-anchor: end; } .middle { text-anchor: middle; }
</style>
<rect class="backdrop" width="100%" height="100%"/>
<text class="heading" x="16" y="24">{{ title }}</text>
<text class="soft" x="16" y="46">RMS error, % of the range</text>
{% for text, y in rows %}
<line class="line" x1="{{ left }}" x2="{{ right }}" y1="{{ y }}" y2="{{ y }}"/>
<text class="soft end" x="{{ left - 8 }}" y="{{ y + 4 }}">{{ text }}</text>
{% endfor %}
{% for text, x in columns %}
<line class="line" x1="{{ x }}" x2="{{ x }}" y1="{{ top }}" y2="{{ bottom }}"/>
<text class="soft middle" x="{{ x }}" y="{{ bottom + 18 }}">{{ text }}</text>
{% endfor %}
<text class="soft end" x="{{ right }}" y="{{ bottom + 36 }}">size, kB</text>
<line class="limit" x1="{{ float_x }}" x2="{{ float_x }}" y1="{{ bottom - 14 }}" y2="{{ bottom }}"/>
<text class="soft end" x="{{ float_x - 4 }}" y="{{ bottom - 4 }}">floating point</text>
{% if limit_x is not none %}
<line class="limit" x1="{{ limit_x }}" x2="{{ limit_x }}" y1="{{ top }}" y2="{{ bottom }}"/>
<text class="soft" x="{{ limit_x + 4 }}" y="{{ top + 12 }}">budget</text>
{% endif %}
{% if limit_y is not none %}
<line class="limit" x1="{{ left }}" x2="{{ right }}" y1="{{ limit_y }}" y2="{{ limit_y }}"/>
<text class="soft" x="{{ left + 4 }}" y="{{ limit_y - 4 }}">budget</text>
{% endif %}
{% for point in points %}
<g><title>{{ point.text }}</title>
<circle class="{{ point.colour }}{{ " chosen" if point.chosen }}" cx="{{ point.x }}" cy="{{ point.y }}" r="{{ 7 if point.chosen else 5 }}"/>
<text x="{{ point.x + 8 }}" y="{{ point.y - 6 }}">{{ point.number }}</text></g>
{% endfor %}
{% for colour, name in legend %}
<circle class="{{ colour }}" cx="{{ left + 110 * loop.index0 + 6 }}" cy="{{ bottom + 34 }}" r="5"/>
<text x="{{ left + 110 * loop.index0 + 16 }}" y="{{ bottom + 38 }}">{{ name }}</text>
{% endfor %}
{% for point in points %}
<text x="16" y="{{ bottom + 52 + 18 * loop.index }}">{{ point.text|truncate(96, true, "…", 0) }}</text>
{% endfor %}
</svg>
