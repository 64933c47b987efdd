/** Which page is shown, by the address's fragment: `#/`, `#/calls/ID`, `#/finished`, `#/finished/ID`. */

export type Route =
  | { readonly page: "live" }
  | { readonly page: "call"; readonly callId: string }
  | { readonly page: "finished" }
  | { readonly page: "record"; readonly callId: string };

export function routeOf(fragment: string): Route {
  const [first = "", id = ""] = fragment.replace(/^#?\/?/, "").split("/");
  const callId = decoded(id);
  if (first === "calls" && callId) return { page: "call", callId };
  if (first === "finished") return callId ? { page: "record", callId } : { page: "finished" };
  return { page: "live" };
}

export function addressOf(route: Route): string {
  switch (route.page) {
    case "live":
      return "#/";
    case "call":
      return `#/calls/${encodeURIComponent(route.callId)}`;
    case "finished":
      return "#/finished";
    case "record":
      return `#/finished/${encodeURIComponent(route.callId)}`;
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}
