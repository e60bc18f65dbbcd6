// Light, dark, or as the system has it; remembered in this browser.

const KEY = "playground-theme";
const ORDER = ["auto", "light", "dark"];

export function currentTheme() {
  const stored = localStorage.getItem(KEY);
  return ORDER.includes(stored) ? stored : "auto";
}

export function nextTheme() {
  return ORDER[(ORDER.indexOf(currentTheme()) + 1) % ORDER.length];
}

export function applyTheme(theme) {
  localStorage.setItem(KEY, theme);
  document.documentElement.dataset.theme = theme;
}
