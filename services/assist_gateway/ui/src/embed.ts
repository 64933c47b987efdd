import { LitElement, type PropertyValues, css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import { Gateway } from "./gateway.js";
import { Session } from "./session.js";
import { liveCalls } from "./store.js";
import { palette, shared } from "./styles.js";
import "./call-view.js";

/** `<earshot-call gateway="https://…">`: a call for pages of other systems, such as a CRM's. See docs/embedding.md. */
@customElement("earshot-call")
export class EarshotCall extends LitElement {
  /** The gateway's address. */
  @property() gateway = "";
  /** The call to show; empty: the newest live one that the token may see. */
  @property({ attribute: "call-id" }) callId = "";
  /** A token, for pages that have one at hand. */
  @property({ attribute: false }) token = "";
  /** Asked for a token at each connection, for pages that fetch one. */
  @property({ attribute: false }) getToken: (() => Promise<string>) | null = null;
  private shown = "";
  private readonly session = new Session(this, { settled: () => this.follow() });

  static override styles = [
    palette,
    shared,
    css`
      :host {
        display: grid;
        min-height: 24rem;
        overflow: hidden;
        border: 1px solid var(--line);
        border-radius: 11px;
        background: var(--canvas);
      }
      .note {
        align-self: center;
        justify-self: center;
        padding: 2rem;
        text-align: center;
      }
    `,
  ];

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("callId")) this.follow();
    if (!changed.has("gateway") && !changed.has("token") && !changed.has("getToken")) return;
    if (!this.gateway || (!this.token && !this.getToken)) return;
    const token = (): Promise<string> => this.getToken?.() ?? Promise.resolve(this.token);
    const base = new URL(this.gateway.endsWith("/") ? this.gateway : `${this.gateway}/`, document.baseURI);
    this.session.open(new Gateway(base.href, token), token);
  }

  override render() {
    const { session } = this;
    const call = session.store.calls.get(this.shown);
    if (!call) return html`<p class="note empty" role="status">${this.emptiness()}</p>`;
    return html`<earshot-call-view
      embedded
      .call=${call}
      .now=${session.now}
      .mine=${session.viewer?.role === "agent"}
      @feedback=${(event: CustomEvent) => session.send({ type: "feedback", ...event.detail })}
    ></earshot-call-view>`;
  }

  private emptiness(): string {
    if (this.session.status === "refused") return "Not signed in to Earshot.";
    if (this.session.status === "live") return this.callId ? "This call is not to be seen." : "No call right now.";
    return "Connecting…";
  }

  private follow(): void {
    const newest = liveCalls(this.session.store)[0]?.callId;
    const shown = this.callId || newest || this.shown;
    this.shown = shown;
    this.session.watch(shown);
    this.session.tellShown(shown);
  }
}
