/** The token comes in the address (`#token=…`), which browsers send to no server; it is kept for the tab alone. */

const KEY = "earshot.token";

/** The token, taken out of the address bar, or the one kept before; empty where there is none. */
export function takeToken(page: Location, history: History, kept: Storage): string {
  const fragment = new URLSearchParams(page.hash.replace(/^#/, ""));
  const given = fragment.get("token");
  if (given) {
    kept.setItem(KEY, given);
    history.replaceState(null, "", page.pathname + page.search);
  }
  return given ?? kept.getItem(KEY) ?? "";
}

export function dropToken(kept: Storage): void {
  kept.removeItem(KEY);
}
