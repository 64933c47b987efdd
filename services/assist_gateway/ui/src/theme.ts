/** Light or dark: as the system has it, unless the viewer chose. */

export type Theme = "system" | "light" | "dark";

const KEY = "earshot.theme";
const ORDER: readonly Theme[] = ["system", "light", "dark"];

export function keptTheme(kept: Storage): Theme {
  const found = kept.getItem(KEY);
  return found === "light" || found === "dark" ? found : "system";
}

export function nextTheme(theme: Theme): Theme {
  return ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length] ?? "system";
}

export function putOn(theme: Theme, page: HTMLElement, kept: Storage): void {
  page.style.colorScheme = theme === "system" ? "light dark" : theme;
  kept.setItem(KEY, theme);
}
