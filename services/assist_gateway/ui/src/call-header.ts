import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { shared } from "./styles.js";
import { type Call, customerSentiment, durationMs, talkShare } from "./store.js";
import { clock, mood, words } from "./text.js";

const HEARD: Record<string, string> = {
  none: "not listened to",
  pending: "connecting to the audio",
  party: "both speakers heard apart",
  session: "both speakers heard mixed",
  failed: "audio could not be had",
};

/** Who is on the call, how it stands, and who talks how much. */
@customElement("call-header")
export class CallHeader extends LitElement {
  @property({ attribute: false }) call!: Call;
  @property({ type: Number }) now = 0;

  static override styles = [
    shared,
    css`
      :host {
        padding: 1rem 1.25rem;
        border-bottom: 1px solid var(--line);
      }
      .top {
        display: flex;
        flex-wrap: wrap;
        gap: 0.25rem 0.75rem;
        align-items: baseline;
      }
      h1 {
        font-size: 1.15rem;
        font-weight: 650;
      }
      .status {
        padding: 0.05rem 0.6rem;
        border-radius: 99px;
        background: var(--other-tint);
        font-size: 0.8rem;
        font-weight: 600;
      }
      .answered {
        background: var(--customer-tint);
        color: var(--customer);
      }
      .held,
      .parked,
      .ringing {
        background: var(--warn-tint);
        color: var(--warn);
      }
      .duration {
        margin-inline-start: auto;
        font-size: 1.15rem;
        font-variant-numeric: tabular-nums;
      }
      .facts {
        margin-top: 0.1rem;
        color: var(--soft);
        font-size: 0.87rem;
      }
      .share {
        display: grid;
        grid-template-columns: auto 1fr auto;
        gap: 0.6rem;
        align-items: center;
        margin-top: 0.75rem;
        font-size: 0.8rem;
        font-variant-numeric: tabular-nums;
      }
      .bar {
        display: flex;
        gap: 2px;
        height: 6px;
        overflow: hidden;
        border-radius: 3px;
        background: var(--raised);
      }
      .bar span {
        transition: width 400ms ease;
      }
      .agent {
        color: var(--agent);
      }
      .customer {
        color: var(--customer);
      }
      .bar .agent {
        background: var(--agent);
      }
      .bar .customer {
        background: var(--customer);
      }
      .negative {
        color: var(--bad);
      }
      .positive {
        color: var(--good);
      }
    `,
  ];

  override render() {
    const { call } = this;
    const status = call.state?.status;
    const duration = durationMs(call, this.now);
    return html`
      <div class="top">
        <h1>${call.agentExtensionId ? `Agent ${call.agentExtensionId}` : "Agent not known yet"}</h1>
        ${status ? html`<span class="status ${status}">${words(status)}</span>` : nothing}
        ${duration === null
          ? nothing
          : html`<span class="duration"><span class="unseen">Duration </span>${clock(duration)}</span>`}
      </div>
      <p class="facts">${this.facts()}</p>
      ${this.share()}
    `;
  }

  private facts() {
    const { state } = this.call;
    const sentiment = customerSentiment(this.call);
    const facts: unknown[] = [];
    if (state && state.direction !== "unknown") facts.push(`${words(state.direction)} call`);
    if (state?.queue_call) facts.push("from a queue");
    if (state && state.status !== "ended") facts.push(HEARD[state.supervision] ?? "");
    if (sentiment !== null)
      facts.push(html`customer sounds <span class=${mood(sentiment)}>${mood(sentiment)}</span>`);
    return facts.map((fact, index) => (index ? html`, ${fact}` : fact));
  }

  private share() {
    const share = talkShare(this.call);
    if (share === null) return nothing;
    return html`<div
      class="share"
      role="img"
      aria-label="Talk share: agent ${share.agent} percent, customer ${share.customer} percent"
    >
      <span class="agent">Agent ${share.agent} %</span>
      <span class="bar">
        <span class="agent" .style=${`width: ${share.agent}%`}></span>
        <span class="customer" .style=${`width: ${share.customer}%`}></span>
      </span>
      <span class="customer">Customer ${share.customer} %</span>
    </div>`;
  }
}
