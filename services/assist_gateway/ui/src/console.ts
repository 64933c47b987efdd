import { LitElement, type PropertyValues, css, html, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import type { Levels } from "./audio/playout.js";
import type { Status } from "./connection.js";
import { Gateway } from "./gateway.js";
import { ListenIn, type Listening } from "./listen-in.js";
import { type Route, addressOf, routeOf } from "./route.js";
import { Session } from "./session.js";
import { liveCalls } from "./store.js";
import { palette, shared } from "./styles.js";
import { agentName } from "./text.js";
import { type Theme, keptTheme, nextTheme, putOn } from "./theme.js";
import { dropToken, takeToken } from "./token.js";
import "./call-view.js";
import "./finished-list.js";
import "./record-view.js";
import "./wall-view.js";

const SAID: Record<Status, string> = {
  connecting: "Connecting…",
  live: "Live",
  reconnecting: "Connection lost, reconnecting…",
  refused: "Not signed in",
};
const THEMES: Record<Theme, string> = { system: "Colours: system", light: "Colours: light", dark: "Colours: dark" };

/** The whole page: which view is shown, and the session that feeds it. */
@customElement("earshot-console")
export class EarshotConsole extends LitElement {
  @state() private route: Route = { page: "live" };
  @state() private theme: Theme = keptTheme(window.localStorage);
  @state() private listening: Listening = { phase: "off", callId: "", trouble: "" };
  @state() private levels: Levels | null = null;
  private token = "";
  /** The own call that an agent's page showed last: it stays when it is over. */
  private own = "";
  private readonly gateway = new Gateway(new URL("./", document.baseURI).href, () => Promise.resolve(this.token));
  private readonly listenIn = new ListenIn(
    (message) => this.session.send(message),
    (listening) => (this.listening = listening),
    (levels) => (this.levels = levels),
  );
  private readonly session = new Session(this, {
    told: (message) => this.listenIn.take(message),
    heard: (piece) => this.listenIn.hear(piece),
    broken: () => this.listenIn.broken(),
    settled: () => this.follow(),
  });

  static override styles = [
    palette,
    shared,
    css`
      :host {
        display: grid;
        grid-template: auto minmax(0, 1fr) / minmax(0, 1fr);
        height: 100vh;
        height: 100dvh;
        background: var(--canvas);
      }
      .bar {
        display: flex;
        flex-wrap: wrap;
        gap: 0 1.25rem;
        align-items: center;
        min-height: 3.1rem;
        padding: 0 1.25rem;
        border-bottom: 1px solid var(--line);
        background: var(--surface);
      }
      .brand {
        display: flex;
        gap: 0.55rem;
        align-items: center;
        font-weight: 700;
        letter-spacing: -0.01em;
      }
      .brand img {
        width: 22px;
        height: 22px;
      }
      nav {
        display: flex;
        gap: 0.2rem;
        align-self: stretch;
      }
      nav a {
        display: flex;
        gap: 0.4rem;
        align-items: center;
        padding: 0 0.75rem;
        border-block: 2px solid transparent;
        color: var(--soft);
        font-size: 0.93rem;
        font-weight: 550;
        text-decoration: none;
      }
      nav a:focus-visible {
        outline-offset: -4px;
      }
      nav [aria-current="page"] {
        border-block-end-color: var(--agent);
        color: var(--ink);
      }
      .end {
        display: flex;
        gap: 1rem;
        align-items: center;
        margin-inline-start: auto;
        color: var(--soft);
        font-size: 0.87rem;
      }
      .status {
        display: flex;
        gap: 0.45rem;
        align-items: center;
      }
      .status::before {
        width: 8px;
        height: 8px;
        border-radius: 50%;
        background: var(--edge);
        content: "";
      }
      .status.live::before {
        background: var(--customer-fill);
      }
      .status.reconnecting,
      .status.refused {
        color: var(--warn);
      }
      .status.reconnecting::before,
      .status.refused::before {
        background: var(--warn-fill);
      }
      .skip {
        position: absolute;
        top: 0.4rem;
        left: 0.4rem;
        z-index: 1;
        padding: 0.4rem 0.8rem;
        background: var(--surface);
      }
      .skip:not(:focus) {
        clip-path: inset(50%);
      }
      main {
        display: grid;
        min-height: 0;
        outline: none;
      }
      .note {
        align-self: center;
        max-width: 30rem;
        margin: 0 auto;
        padding: 2rem;
        color: var(--soft);
        text-align: center;
      }
      .note h1 {
        margin-bottom: 0.35rem;
        color: var(--ink);
      }
      .note p + p {
        margin-top: 0.8rem;
      }
      @media (max-width: 600px) {
        .bar {
          padding: 0 1rem;
        }
        .end button,
        .name {
          display: none;
        }
        nav {
          order: 1;
          width: 100%;
          min-height: 2.6rem;
          margin-inline: -0.75rem;
        }
        .bar {
          padding-top: 0.5rem;
        }
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    this.token = takeToken(window.location, window.history, window.sessionStorage);
    this.route = routeOf(window.location.hash);
    putOn(this.theme, document.documentElement, window.localStorage);
    window.addEventListener("hashchange", this.moved);
    if (this.token) this.session.open(this.gateway, () => Promise.resolve(this.token));
    else this.session.status = "refused";
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("hashchange", this.moved);
  }

  override willUpdate(): void {
    if (this.session.status === "refused") dropToken(window.sessionStorage);
  }

  override updated(changed: PropertyValues): void {
    document.title = `${this.pageTitle()} · Earshot`;
    const before = (changed as Map<string, unknown>).get("route");
    if (before === undefined) return;
    const view = this.renderRoot.querySelector("main > *");
    void (view as LitElement | null)?.updateComplete?.then(() =>
      (view?.shadowRoot ?? view)?.querySelector<HTMLElement>("h1")?.focus(),
    );
  }

  override render() {
    const { status, viewer } = this.session;
    return html`
      <header class="bar">
        <a class="skip" href="#main" @click=${this.skip}>Skip to the content</a>
        <span class="brand"><img src="./favicon.svg" alt="" />Earshot</span>
        ${status === "refused" ? nothing : this.navigation()}
        <span class="end">
          ${viewer?.name ? html`<span class="name">${viewer.name}</span>` : nothing}
          <span class="status ${status}" role="status">${SAID[status]}</span>
          <button class="plain" @click=${this.turnTheme}>${THEMES[this.theme]}</button>
        </span>
      </header>
      <main id="main" tabindex="-1">${status === "refused" ? this.signIn() : this.page()}</main>
    `;
  }

  private navigation() {
    const live = this.route.page === "live" || this.route.page === "call";
    const link = (to: Route, text: unknown, current: boolean) =>
      html`<a href=${addressOf(to)} aria-current=${current ? "page" : nothing}>${text}</a>`;
    return html`<nav aria-label="Pages">
      ${link({ page: "live" }, this.isAgent ? "My call" : "Live calls", live)}
      ${link({ page: "finished" }, "Last day", !live)}
    </nav>`;
  }

  private page() {
    switch (this.route.page) {
      case "live":
        return this.isAgent ? this.callPage(this.own) : this.wall();
      case "call":
        return this.callPage(this.route.callId);
      case "finished":
        return html`<earshot-finished .gateway=${this.gateway} .mine=${this.isAgent}></earshot-finished>`;
      case "record":
        return html`<earshot-record
          .gateway=${this.gateway}
          .callId=${this.route.callId}
          .mine=${this.isAgent}
        ></earshot-record>`;
    }
  }

  private wall() {
    return html`<earshot-wall
      .calls=${liveCalls(this.session.store)}
      .now=${this.session.now}
      .connected=${this.session.status !== "connecting"}
    ></earshot-wall>`;
  }

  private callPage(callId: string) {
    const { session } = this;
    const call = session.store.calls.get(callId);
    if (call)
      return html`<earshot-call-view
        .call=${call}
        .now=${session.now}
        .mine=${this.isAgent}
        .mayListen=${session.mayListen}
        .listening=${this.listening}
        .levels=${this.levels}
        @listen=${() => this.listenIn.start(callId)}
        @unlisten=${() => this.listenIn.stop()}
        @feedback=${(event: CustomEvent) => session.send({ type: "feedback", ...event.detail })}
      ></earshot-call-view>`;
    if (session.status === "connecting") return this.note("Connecting…", "The call appears as soon as the gateway answers.");
    if (!callId) return this.note("No call right now", "Your next call appears here by itself.");
    return this.note(
      "This call is not to be seen",
      html`It is over, or it is not one that you may see.
        <a href=${addressOf({ page: "record", callId })}>Look among the finished calls</a>`,
    );
  }

  private note(title: string, text: unknown) {
    return html`<div class="note">
      <h1 tabindex="-1">${title}</h1>
      <p>${text}</p>
    </div>`;
  }

  private signIn() {
    const expired = this.session.refusal === "token_expired";
    return html`<div class="note">
      <h1>${expired ? "Your sign-in has expired" : "This page needs a token"}</h1>
      <p>Open the link that you were given: it ends with <code>#token=…</code></p>
    </div>`;
  }

  private get isAgent(): boolean {
    return this.session.viewer?.role === "agent";
  }

  /** Watch what the page shows. */
  private follow(): void {
    if (this.isAgent) this.own = liveCalls(this.session.store)[0]?.callId ?? this.own;
    const shown = this.route.page === "call" ? this.route.callId : this.route.page === "live" ? this.own : "";
    this.session.watch(shown);
    this.session.tellShown(shown);
    if (this.listening.phase !== "off" && this.listening.callId !== shown) this.listenIn.stop();
  }

  private pageTitle(): string {
    const { route } = this;
    if (route.page === "finished") return "Last day";
    if (route.page === "record") return "Finished call";
    const call = this.session.store.calls.get(route.page === "call" ? route.callId : this.own);
    if (this.isAgent) return "My call";
    return call ? agentName(call) : "Live calls";
  }

  private readonly moved = (): void => {
    if (window.location.hash.includes("token=")) {
      window.location.reload();
      return;
    }
    this.route = routeOf(window.location.hash);
    this.follow();
  };

  private skip(event: Event): void {
    event.preventDefault();
    this.renderRoot.querySelector<HTMLElement>("main")?.focus();
  }

  private turnTheme(): void {
    this.theme = nextTheme(this.theme);
    putOn(this.theme, document.documentElement, window.localStorage);
  }
}
