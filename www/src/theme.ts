/** Light, dark, or as the system has it; remembered. */

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "imagen-theme";
const root = document.documentElement;

export function theme(): Theme {
  return THEMES.find((name) => name === root.dataset.theme) ?? "system";
}

export function setTheme(wanted: string): void {
  show(wanted);
  try {
    localStorage.setItem(KEY, wanted);
  } catch {
    // A browser that keeps nothing goes by the system's on the next visit.
  }
}

export function startTheme(): void {
  try {
    show(localStorage.getItem(KEY) ?? "system");
  } catch {
    show("system");
  }
}

function show(wanted: string): void {
  if (wanted === "light" || wanted === "dark") root.dataset.theme = wanted;
  else delete root.dataset.theme;
}
