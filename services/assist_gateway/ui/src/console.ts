import { LitElement, css, html, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { Connection, type Status } from "./connection.js";
import type { FeedbackAction, FromGateway } from "./protocol.js";
import { EMPTY, type Store, listed, reduce, shownCall } from "./store.js";
import { shared } from "./styles.js";
import { claimedRole, dropToken, takeToken } from "./token.js";
import "./call-header.js";
import "./call-list.js";
import "./help-panel.js";
import "./transcript-view.js";

const SAID: Record<Status, string> = {
  connecting: "Connecting…",
  live: "Live",
  reconnecting: "Connection lost, reconnecting…",
  refused: "Not signed in",
};

/** The whole page: holds the store, and the connection that feeds it. */
@customElement("earshot-console")
export class EarshotConsole extends LitElement {
  @state() private store: Store = EMPTY;
  @state() private status: Status = "connecting";
  @state() private refusal = "";
  @state() private chosen = "";
  @state() private shown = "";
  @state() private now = Date.now();
  private token = "";
  private connection: Connection | null = null;
  private toldShown = new Set<string>();
  private waiting: FromGateway[] = [];
  private ticking = 0;

  static override styles = [
    shared,
    css`
      :host {
        display: grid;
        grid-template: auto minmax(0, 1fr) / 18rem minmax(0, 1fr);
        height: 100vh;
        height: 100dvh;
      }
      header {
        display: flex;
        grid-column: 1 / -1;
        gap: 0.75rem;
        align-items: center;
        padding: 0.6rem 1.25rem;
        border-bottom: 1px solid var(--line);
        background: var(--surface);
      }
      .brand {
        display: flex;
        gap: 0.55rem;
        align-items: center;
        font-weight: 700;
      }
      .brand img {
        width: 22px;
        height: 22px;
      }
      .status {
        display: flex;
        gap: 0.45rem;
        align-items: center;
        margin-inline-start: auto;
        color: var(--soft);
        font-size: 0.87rem;
      }
      .status::before {
        width: 8px;
        height: 8px;
        border-radius: 50%;
        background: var(--line);
        content: "";
      }
      .status.live::before {
        background: var(--good);
      }
      .status.reconnecting,
      .status.refused {
        color: var(--warn);
      }
      .status.reconnecting::before,
      .status.refused::before {
        background: var(--warn);
      }
      nav {
        overflow-y: auto;
        padding: 1rem 0.5rem;
        border-inline-end: 1px solid var(--line);
      }
      main {
        display: grid;
        grid-template: auto minmax(0, 1fr) / minmax(0, 1fr) 22rem;
        min-height: 0;
        background: var(--surface);
      }
      call-header {
        grid-column: 1 / -1;
      }
      help-panel {
        border-inline-start: 1px solid var(--line);
        background: var(--canvas);
      }
      .note {
        grid-column: 1 / -1;
        grid-row: 1 / -1;
        align-self: center;
        max-width: 30rem;
        margin: 0 auto;
        padding: 2rem;
        color: var(--soft);
        text-align: center;
      }
      .note strong {
        display: block;
        margin-bottom: 0.25rem;
        color: var(--ink);
        font-size: 1.1rem;
      }
      @media (max-width: 1080px) {
        main {
          grid-template: auto minmax(0, 3fr) minmax(0, 2fr) / minmax(0, 1fr);
        }
        help-panel {
          border-block-start: 1px solid var(--line);
          border-inline-start: 0;
        }
      }
      @media (max-width: 720px) {
        :host {
          grid-template: auto auto minmax(0, 1fr) / minmax(0, 1fr);
        }
        nav {
          padding: 0.5rem 1rem;
          border-block-end: 1px solid var(--line);
          border-inline-end: 0;
        }
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    this.token = takeToken(window.location, window.history, window.sessionStorage);
    window.addEventListener("hashchange", this.tokenGiven);
    this.ticking = window.setInterval(() => (this.now = Date.now()), 1000);
    this.connect();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("hashchange", this.tokenGiven);
    window.clearInterval(this.ticking);
  }

  override render() {
    const call = this.store.calls.get(this.shown);
    return html`
      <header>
        <span class="brand"><img src="./favicon.svg" alt="" />Earshot</span>
        <span class="status ${this.status}" role="status">${SAID[this.status]}</span>
      </header>
      ${this.status === "refused"
        ? nothing
        : html`<nav aria-label="Calls">
            <call-list
              .calls=${listed(this.store)}
              .selected=${this.shown}
              .now=${this.now}
              @choose=${(event: CustomEvent<string>) => this.choose(event.detail)}
            ></call-list>
          </nav>`}
      <main>
        ${this.status === "refused" ? this.signIn() : call ? this.callView(call) : this.nothingYet()}
      </main>
    `;
  }

  private callView(call: NonNullable<ReturnType<Store["calls"]["get"]>>) {
    return html`<call-header .call=${call} .now=${this.now}></call-header>
      <transcript-view .call=${call}></transcript-view>
      <help-panel
        .call=${call}
        .now=${this.now}
        @feedback=${(event: CustomEvent<{ suggestion_id: string; action: FeedbackAction }>) =>
          this.connection?.send({ type: "feedback", ...event.detail })}
      ></help-panel>`;
  }

  private nothingYet() {
    return html`<p class="note">
      <strong>${this.status === "connecting" ? "Connecting…" : "No calls yet"}</strong>
      A call appears here by itself as soon as one begins.
    </p>`;
  }

  private signIn() {
    const expired = this.refusal === "token_expired";
    return html`<p class="note">
      <strong>${expired ? "Your sign-in has expired" : "This page needs a token"}</strong>
      Open the link that you were given: it ends with <code>#token=…</code>
    </p>`;
  }

  private readonly tokenGiven = (): void => {
    if (window.location.hash.includes("token=")) window.location.reload();
  };

  private connect(): void {
    if (!this.token) {
      this.status = "refused";
      return;
    }
    const url = new URL("./v1/ws", window.location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.hash = "";
    this.connection = new Connection(
      url.href,
      this.token,
      (message) => this.receive(message),
      (status, code) => this.turn(status, code),
    );
    this.connection.start();
  }

  private turn(status: Status, code: string): void {
    this.status = status;
    this.refusal = code;
    if (status !== "refused") return;
    dropToken(window.sessionStorage);
    this.store = EMPTY;
  }

  /** Messages of one moment change the page once. */
  private receive(message: FromGateway): void {
    if (this.waiting.push(message) > 1) return;
    queueMicrotask(() => {
      const told = this.waiting;
      this.waiting = [];
      this.store = told.reduce(reduce, this.store);
      this.show();
    });
  }

  private choose(callId: string): void {
    this.chosen = callId;
    this.show();
  }

  private show(): void {
    this.shown = shownCall(this.store, this.chosen, this.shown);
    this.connection?.watch(this.shown);
    this.tellShown();
  }

  /** An agent's own screen says which suggestions it showed; others only look on. */
  private tellShown(): void {
    const call = this.store.calls.get(this.shown);
    if (!call || document.hidden || claimedRole(this.token) !== "agent") return;
    for (const id of call.suggestions.keys()) {
      if (this.toldShown.has(id) || call.feedback.has(id)) continue;
      if (this.connection?.send({ type: "feedback", suggestion_id: id, action: "shown" })) this.toldShown.add(id);
    }
  }
}
