import { LitElement, css, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Gateway } from "./gateway.js";
import type { CallRow } from "./protocol.js";
import { addressOf } from "./route.js";
import { shared } from "./styles.js";
import { agentName, clock, hourAndMinute, mood, words } from "./text.js";

const REFRESH_MS = 20_000;

/** The calls of the last day, newest first. */
@customElement("earshot-finished")
export class FinishedList extends LitElement {
  @property({ attribute: false }) gateway!: Gateway;
  /** The agent's own calls need no name. */
  @property({ type: Boolean }) mine = false;
  @state() private calls: readonly CallRow[] | null = null;
  @state() private next: string | null = null;
  @state() private failed = false;
  private refreshing = 0;

  static override styles = [
    shared,
    css`
      :host {
        overflow-y: auto;
        padding: 1.25rem;
      }
      h1 {
        margin-bottom: 1rem;
      }
      ul {
        display: grid;
        max-width: 76rem;
        border: 1px solid var(--line);
        border-radius: 11px;
        background: var(--surface);
      }
      li {
        position: relative;
        display: grid;
        grid-template-columns: 5rem minmax(8rem, 1.2fr) minmax(0, 3.2fr) 9rem 6.5rem;
        gap: 0.2rem 1rem;
        align-items: baseline;
        padding: 0.75rem 1rem;
      }
      li + li {
        border-block-start: 1px solid var(--line);
      }
      li:hover {
        background: var(--raised);
      }
      a {
        color: var(--ink);
        font-weight: 600;
        text-decoration: none;
      }
      a::after {
        position: absolute;
        inset: 0;
        content: "";
      }
      a:focus-visible {
        outline: none;
      }
      a:focus-visible::after {
        outline: 2px solid var(--agent);
        outline-offset: -2px;
      }
      .soft,
      time {
        color: var(--soft);
        font-size: 0.87rem;
      }
      time {
        white-space: nowrap;
      }
      .reason {
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .last {
        text-align: end;
      }
      .note {
        padding: 12vh 1rem;
        text-align: center;
      }
      .note .empty {
        margin: 0.4rem auto 0.8rem;
      }
      .more {
        margin-top: 1rem;
      }
      @media (max-width: 800px) {
        li {
          grid-template-columns: minmax(0, 1fr) auto;
        }
        .reason {
          grid-column: 1 / -1;
          grid-row: 2;
        }
        time {
          grid-row: 1;
          grid-column: 2;
        }
        .who {
          grid-row: 1;
          grid-column: 1;
        }
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
    this.refreshing = window.setInterval(() => {
      if (!document.hidden && (this.calls?.length ?? 0) <= 50) void this.load();
    }, REFRESH_MS);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.clearInterval(this.refreshing);
  }

  override render() {
    return html`<h1 tabindex="-1">${this.mine ? "Your calls of the last day" : "Calls of the last day"}</h1>
      ${this.body()}`;
  }

  private body() {
    if (this.calls === null)
      return this.failed
        ? html`<div class="note" role="alert">
            <h2>The calls could not be fetched</h2>
            <p class="empty">The gateway did not answer.</p>
            <button @click=${() => this.load()}>Try again</button>
          </div>`
        : html`<div class="note"><h2>Loading…</h2></div>`;
    if (!this.calls.length)
      return html`<div class="note">
        <h2>No call has ended yet</h2>
        <p class="empty">Calls stay here for a day after they end.</p>
      </div>`;
    return html`<ul>
        ${repeat(
          this.calls,
          (row) => row.call_id,
          (row) => this.row(row),
        )}
      </ul>
      ${this.next ? html`<button class="more" @click=${this.loadMore}>Show earlier calls</button>` : nothing}`;
  }

  private row(row: CallRow) {
    const { summary } = row;
    const ended = row.state?.ended_at ?? row.state?.updated_at;
    const duration = summary?.duration_ms ?? row.outcome?.duration_ms;
    const who = agentName({ agent: row.agent ?? null, agentExtensionId: row.agent_extension_id });
    const alerts = row.alerts ?? 0;
    const result = summary?.result && summary.result !== "unknown" ? summary.result : "";
    return html`<li data-call=${row.call_id}>
      <time>${ended ? hourAndMinute(ended) : ""}</time>
      <span class="who"
        ><a href=${addressOf({ page: "record", callId: row.call_id })}
          >${this.mine ? `Call${ended ? ` at ${hourAndMinute(ended)}` : ""}` : who}</a
        ></span
      >
      <span class="reason">${summary?.reason_for_call || summary?.summary || html`<span class="soft">No words at hand</span>`}</span>
      <span class="soft">
        ${result ? html`<span class="chip ${result}">${words(result)}</span>` : this.mood(summary?.customer_sentiment)}
        ${alerts ? html`${alerts} ${alerts === 1 ? "alert" : "alerts"}` : nothing}
      </span>
      <span class="soft last figure"
        >${duration === undefined ? "" : clock(duration)}${row.recording ? " · recorded" : ""}</span
      >
    </li>`;
  }

  private mood(sentiment: number | undefined) {
    return sentiment === undefined ? nothing : html`<span class=${mood(sentiment)}>${words(mood(sentiment))}</span>`;
  }

  private async load(): Promise<void> {
    try {
      const page = await this.gateway.finished(null);
      this.calls = page.calls;
      this.next = page.next;
      this.failed = false;
    } catch {
      this.failed = true;
    }
  }

  private async loadMore(): Promise<void> {
    try {
      const page = await this.gateway.finished(this.next);
      this.calls = [...(this.calls ?? []), ...page.calls];
      this.next = page.next;
    } catch {
      this.failed = true;
    }
  }
}
