import { LitElement, css, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import type { Levels } from "./audio/playout.js";
import { alertsOf, checklistOf, coverage, customerSentiment, talkShare } from "./figures.js";
import type { Listening } from "./listen-in.js";
import { addressOf } from "./route.js";
import { type Call, durationMs, isLive } from "./store.js";
import { shared } from "./styles.js";
import { agentName, clock, mood, words } from "./text.js";
import type { TranscriptView } from "./transcript-view.js";
import "./alert-list.js";
import "./call-facts.js";
import "./checklist-view.js";
import "./listen-button.js";
import "./suggestion-list.js";
import "./summary-view.js";
import "./talk-share.js";
import "./timeline-view.js";
import "./transcript-view.js";

type Pane = "words" | "help" | "course";

/** One live call. `mine` is the agent's own view: help first, nothing that is meant for supervisors. */
@customElement("earshot-call-view")
export class CallView extends LitElement {
  @property({ attribute: false }) call!: Call;
  @property({ type: Number }) now = 0;
  @property({ type: Boolean, reflect: true }) mine = false;
  @property({ type: Boolean }) embedded = false;
  @property({ type: Boolean }) mayListen = false;
  @property({ attribute: false }) listening: Listening = { phase: "off", callId: "", trouble: "" };
  @property({ attribute: false }) levels: Levels | null = null;
  /** What a narrow page shows; a wide one has room for all. */
  @state() private pane: Pane | null = null;
  @query("earshot-transcript") private transcript!: TranscriptView;

  static override styles = [
    shared,
    css`
      :host {
        min-height: 0;
        container-type: size;
      }
      .whole {
        display: grid;
        grid-template: auto auto minmax(0, 1fr) / minmax(0, 1fr) 23rem;
        height: 100%;
        background: var(--surface);
      }
      :host([mine]) .whole {
        grid-template-columns: minmax(22rem, 1fr) minmax(0, 1.1fr);
      }
      header {
        display: flex;
        flex-wrap: wrap;
        gap: 0.4rem 0.8rem;
        grid-column: 1 / -1;
        align-items: center;
        padding: 0.8rem 1.25rem 0;
      }
      .who {
        display: flex;
        gap: 0.7rem;
        align-items: center;
        min-width: 0;
      }
      h1 {
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .facts {
        color: var(--soft);
        font-size: 0.87rem;
      }
      .end {
        display: flex;
        gap: 0.9rem;
        align-items: center;
        margin-inline-start: auto;
      }
      .duration {
        min-width: 3.2rem;
        font-size: 1.2rem;
        font-weight: 550;
        text-align: end;
      }
      .course {
        display: grid;
        gap: 0.6rem;
        grid-column: 1 / -1;
        padding: 0.8rem 1.25rem 0.9rem;
        border-bottom: 1px solid var(--line);
      }
      .course earshot-talk-share,
      .course earshot-facts {
        margin-inline-start: 6.5rem;
      }
      :host([mine]) .course earshot-talk-share {
        margin-inline-start: 0;
      }
      :host([mine]) earshot-transcript {
        grid-row: 3;
        grid-column: 2;
      }
      .panes {
        display: none;
      }
      aside {
        min-height: 0;
        overflow-y: auto;
        padding: 1.1rem 1.25rem 1.5rem;
        border-inline-start: 1px solid var(--line);
        background: var(--canvas);
      }
      :host([mine]) aside {
        grid-row: 3;
        grid-column: 1;
        border-inline: 0 solid var(--line);
        border-inline-end-width: 1px;
      }
      section + section {
        margin-top: 1.5rem;
      }
      section h2 {
        margin-bottom: 0.5rem;
      }
      @container (max-width: 52rem) {
        .whole,
        :host([mine]) .whole {
          grid-template: auto auto minmax(0, 1fr) / minmax(0, 1fr);
        }
        header {
          padding-inline: 1rem;
        }
        .panes {
          display: grid;
          grid-auto-flow: column;
          gap: 0.25rem;
          grid-row: 2;
          margin: 0.7rem 1rem 0;
          padding: 3px;
          border-radius: 9px;
          background: var(--raised);
        }
        .panes button {
          border-color: transparent;
          background: none;
        }
        .panes [aria-pressed="true"] {
          background: var(--surface);
          box-shadow: var(--shadow);
        }
        .course,
        :host aside,
        :host earshot-transcript,
        :host([mine]) earshot-transcript {
          grid-row: 3;
          grid-column: 1;
        }
        .course {
          align-content: start;
          gap: 1.2rem;
          overflow-y: auto;
          padding: 1rem;
          border: 0;
        }
        .course earshot-talk-share,
        .course earshot-facts {
          margin: 0;
        }
        aside,
        :host([mine]) aside {
          margin-top: 0.8rem;
          padding: 1rem;
          border: 0;
          border-block-start: 1px solid var(--line);
        }
        .whole:not(.words) earshot-transcript,
        .whole:not(.help) aside,
        .whole:not(.course-shown) .course {
          display: none;
        }
      }
    `,
  ];

  override render() {
    const pane = this.pane ?? (this.mine ? "help" : "words");
    return html`<div class="whole ${pane === "course" ? "course-shown" : pane}" @point=${this.point}>
      ${this.header()} ${this.panes(pane)} ${this.course()}
      <earshot-transcript .call=${this.call}></earshot-transcript>
      <aside aria-label="Help" tabindex="0">${this.help()}</aside>
    </div>`;
  }

  private header() {
    const { call } = this;
    const duration = durationMs(call, this.now);
    const status = call.state?.status;
    return html`<header>
      <div class="who">
        <h1 tabindex="-1">${this.mine ? "Your call" : agentName(call)}</h1>
        ${status ? html`<span class="chip ${status}">${words(status)}</span>` : nothing}
      </div>
      <p class="facts">${this.facts()}</p>
      <div class="end">
        ${call.recording && !this.embedded
          ? html`<a href=${addressOf({ page: "record", callId: call.callId })}>Play the recording</a>`
          : nothing}
        ${this.mayListen && isLive(call)
          ? html`<earshot-listen
              .callId=${call.callId}
              .listening=${this.listening}
              .levels=${this.levels}
            ></earshot-listen>`
          : nothing}
        <span class="duration figure"><span class="unseen">Duration </span>${duration === null ? "–" : clock(duration)}</span>
      </div>
    </header>`;
  }

  private facts() {
    const { state } = this.call;
    const facts: unknown[] = [];
    if (!this.mine && this.call.agent?.extension_number) facts.push(`Ext. ${this.call.agent.extension_number}`);
    if (state && state.direction !== "unknown") facts.push(state.queue_call ? "From a queue" : words(state.direction));
    if (state && state.status !== "ended") facts.push(coverage(this.call).text);
    const sentiment = customerSentiment(this.call);
    if (sentiment !== null)
      facts.push(html`Customer sounds <span class=${mood(sentiment)}>${mood(sentiment)}</span>`);
    return facts.map((fact, index) => (index ? html` · ${fact}` : fact));
  }

  private panes(pane: Pane) {
    const choice = (name: Pane, text: string) =>
      html`<button aria-pressed=${pane === name ? "true" : "false"} @click=${() => (this.pane = name)}>${text}</button>`;
    return html`<div class="panes" role="group" aria-label="Show">
      ${choice("words", "Words")} ${choice("help", "Help")} ${choice("course", "Course")}
    </div>`;
  }

  private course() {
    const share = html`<earshot-talk-share .share=${talkShare(this.call)}></earshot-talk-share>`;
    if (this.mine) return html`<div class="course">${share}</div>`;
    return html`<div class="course">
      <earshot-timeline .call=${this.call}></earshot-timeline>
      ${share} <earshot-facts .call=${this.call}></earshot-facts>
    </div>`;
  }

  private help() {
    const { call } = this;
    const alerts = this.mine ? [] : alertsOf(call);
    const steps = checklistOf(call);
    const summary = call.summary ?? call.insights.get("summary")?.summary;
    const before = call.insights.get("handed_on")?.summary;
    return html`
      ${alerts.length
        ? html`<section aria-label="Alerts"><h2>Alerts</h2><earshot-alerts .alerts=${alerts}></earshot-alerts></section>`
        : nothing}
      ${before
        ? html`<section aria-label="From the call before">
            <h2>From the call before</h2>
            <earshot-summary .summary=${before}></earshot-summary>
          </section>`
        : nothing}
      <section aria-label="Suggestions">
        <h2>Suggestions</h2>
        <earshot-suggestions .call=${call} .now=${this.now}></earshot-suggestions>
      </section>
      ${steps.length
        ? html`<section aria-label="Checklist">
            <h2>Checklist, ${steps.filter((step) => step.status === "done").length} of ${steps.length}</h2>
            <earshot-checklist .steps=${steps}></earshot-checklist>
          </section>`
        : nothing}
      ${summary
        ? html`<section aria-label="Summary">
            <h2>${call.summary ? "Summary" : "The call so far"}</h2>
            <earshot-summary .summary=${summary}></earshot-summary>
          </section>`
        : nothing}
    `;
  }

  private point(event: CustomEvent<string>): void {
    this.pane = "words";
    void this.transcript.point(event.detail);
  }
}
