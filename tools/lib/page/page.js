"use strict";
(() => {
  const NAMES = { "": "automatic", light: "light", dark: "dark" };
  const button = document.getElementById("theme");
  // A page that is opened as a file may be kept from remembering anything.
  const remembered = () => { try { return localStorage.getItem("theme") || ""; } catch { return ""; } };
  const remember = (theme) => { try { localStorage.setItem("theme", theme); } catch { /* it stays unremembered */ } };
  const show = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    button.textContent = `Theme: ${NAMES[theme]}`;
  };
  let theme = remembered();
  if (!(theme in NAMES)) theme = "";
  show(theme);
  button.hidden = false;
  button.addEventListener("click", () => {
    const order = Object.keys(NAMES);
    theme = order[(order.indexOf(theme) + 1) % order.length];
    show(theme);
    remember(theme);
  });
  // Only who comes from the catalogue finds it beside this page.
  const back = document.getElementById("back");
  if (back && location.search === "?catalogue") back.hidden = false;
})();
