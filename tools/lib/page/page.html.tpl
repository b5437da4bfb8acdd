<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{% block title %}{% endblock %}</title>
<style>{{ style }}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="top">
<div class="bar">
{% block bar %}{% endblock %}
<button type="button" class="theme" id="theme" hidden>Theme: automatic</button>
</div>
</header>
<main id="content" tabindex="-1">
{% block content %}{% endblock %}
</main>
<script>{{ script }}</script>
</body>
</html>
