// Checks a page's accessibility. Returns a sentence for each fault.
() => {
  const faults = [];
  const shown = (element) => element.getClientRects().length > 0 && getComputedStyle(element).visibility === "visible";
  const describe = (element) => `<${element.tagName.toLowerCase()}> ${(element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40)}`;

  const named = (element) => {
    const by = (element.getAttribute("aria-labelledby") || "").split(/\s+/).filter(Boolean);
    const texts = by.map((id) => document.getElementById(id)?.textContent ?? "");
    const labels = [...(element.labels ?? [])].map((label) => label.textContent);
    return [element.getAttribute("aria-label") ?? "", ...texts, ...labels, element.tagName === "SELECT" ? "" : element.textContent]
      .some((text) => text.trim());
  };
  for (const element of document.querySelectorAll("a, button, input, select, summary, [role=region], [role=img], [tabindex='0'], nav, form")) {
    if (shown(element) && !named(element)) faults.push(`${describe(element)} has no name`);
  }
  for (const svg of document.querySelectorAll("svg")) {
    if (svg.getAttribute("role") !== "img" && svg.getAttribute("aria-hidden") !== "true") faults.push(`${describe(svg)} is neither named nor hidden`);
  }
  for (const table of document.querySelectorAll("table")) {
    if (!table.querySelector("thead th[scope=col]") || !table.querySelector("tbody th[scope=row]")) faults.push(`${describe(table)} has no headings`);
  }
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map((heading) => Number(heading.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) faults.push("there is not exactly one h1");
  levels.forEach((level, place) => { if (place && level > levels[place - 1] + 1) faults.push(`a heading of level ${level} follows one of ${levels[place - 1]}`); });
  if (!document.documentElement.lang) faults.push("the page has no language");
  for (const landmark of ["main", "header"]) if (!document.querySelector(landmark)) faults.push(`there is no ${landmark}`);

  const parse = (text) => {
    const parts = text.match(/[\d.]+/g).map(Number);
    return { rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1 };
  };
  const mix = (over, under) => over.rgb.map((value, place) => value * over.alpha + under[place] * (1 - over.alpha));
  const backdrop = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, over) => mix(over, under), [255, 255, 255]);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (first, second) => {
    const [light, dark] = [luminance(first), luminance(second)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || seen.has(element) || !shown(element)) continue;
    seen.add(element);
    if (element.closest("script, style, title, desc")) continue;
    const style = getComputedStyle(element);
    const svg = element.closest("svg");
    // A tile's text lies on the tile.
    const tile = svg && element.previousElementSibling ? element.parentElement.querySelector("rect") : null;
    const under = tile ? parse(getComputedStyle(tile).fill).rgb : backdrop(svg ?? element);
    const over = mix(parse(svg ? style.fill : style.color), under);
    const size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const actual = contrast(over, under);
    if (actual < needed) faults.push(`${describe(element)} has a contrast of ${actual.toFixed(2)}, and needs ${needed}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) faults.push(`the page is ${document.documentElement.scrollWidth} wide in a window of ${innerWidth}`);
  return faults;
}
