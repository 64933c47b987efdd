import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { shared } from "./styles.js";
import { type Call, beganAt, durationMs, isLive } from "./store.js";
import { clock, hourAndMinute, words } from "./text.js";

/** Live and recent calls to choose from; fires `choose` with the call's id. */
@customElement("call-list")
export class CallList extends LitElement {
  @property({ attribute: false }) calls: readonly Call[] = [];
  @property() selected = "";
  @property({ type: Number }) now = 0;

  static override styles = [
    shared,
    css`
      section + section {
        margin-top: 1.25rem;
      }
      h2 {
        padding: 0 0.75rem 0.4rem;
      }
      button {
        display: grid;
        grid-template-columns: auto 1fr auto;
        gap: 0.1rem 0.6rem;
        align-items: center;
        width: 100%;
        padding: 0.55rem 0.75rem;
        border-color: transparent;
        background: none;
        text-align: start;
      }
      button:hover {
        background: var(--raised);
      }
      button[aria-current="true"] {
        background: var(--surface);
        border-color: var(--line);
        box-shadow: var(--shadow);
      }
      .dot {
        width: 8px;
        height: 8px;
        border-radius: 50%;
        background: var(--line);
      }
      .live .dot {
        background: var(--good);
      }
      .who {
        overflow: hidden;
        font-weight: 600;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .time {
        color: var(--soft);
        font-variant-numeric: tabular-nums;
      }
      .more {
        grid-column: 2 / -1;
        overflow: hidden;
        color: var(--soft);
        font-size: 0.8rem;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .alerts {
        color: var(--bad);
        font-weight: 600;
      }
      p {
        padding: 0 0.75rem;
        color: var(--soft);
        font-size: 0.87rem;
      }
      @media (max-width: 720px) {
        :host {
          display: flex;
          gap: 0.75rem;
          overflow-x: auto;
        }
        section + section {
          margin-top: 0;
        }
        h2 {
          padding: 0 0 0.25rem;
        }
        ul {
          display: flex;
          gap: 0.5rem;
        }
        li {
          flex: 0 0 15rem;
        }
      }
    `,
  ];

  override render() {
    const live = this.calls.filter(isLive);
    const recent = this.calls.filter((call) => !isLive(call));
    return html`
      <section aria-label="Live calls">
        <h2>Live</h2>
        ${live.length ? this.list(live) : html`<p>No call right now.</p>`}
      </section>
      ${recent.length
        ? html`<section aria-label="Recent calls"><h2>Recent</h2>${this.list(recent)}</section>`
        : nothing}
    `;
  }

  private list(calls: readonly Call[]) {
    return html`<ul>
      ${repeat(
        calls,
        (call) => call.callId,
        (call) => html`<li>${this.item(call)}</li>`,
      )}
    </ul>`;
  }

  private item(call: Call) {
    const duration = durationMs(call, this.now);
    const began = beganAt(call);
    return html`<button
      class=${isLive(call) ? "live" : ""}
      aria-current=${call.callId === this.selected ? "true" : "false"}
      @click=${() => this.choose(call.callId)}
    >
      <span class="dot"></span>
      <span class="who">${call.agentExtensionId ? `Agent ${call.agentExtensionId}` : "Agent not known yet"}</span>
      <span class="time">${duration === null ? "" : clock(duration)}</span>
      <span class="more">
        ${call.alerts.size
          ? html`<span class="alerts">${call.alerts.size} ${call.alerts.size === 1 ? "alert" : "alerts"}</span>, `
          : nothing}${call.state ? words(call.state.status) : "Not known"}${began
          ? `${isLive(call) ? " since" : ", began"} ${hourAndMinute(began)}`
          : ""}
      </span>
    </button>`;
  }

  private choose(callId: string): void {
    this.dispatchEvent(new CustomEvent("choose", { detail: callId }));
  }
}
