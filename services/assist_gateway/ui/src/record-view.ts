import { LitElement, type PropertyValues, css, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { alertsOf, checklistOf, heardShare, talkShare } from "./figures.js";
import { type Gateway, Unanswered } from "./gateway.js";
import { addressOf } from "./route.js";
import { type Call, beganAt, durationMs, fromWire } from "./store.js";
import { shared } from "./styles.js";
import { agentName, clock, hourAndMinute, words } from "./text.js";
import type { RecordingPlayer } from "./recording-player.js";
import type { TranscriptView } from "./transcript-view.js";
import "./alert-list.js";
import "./call-facts.js";
import "./checklist-view.js";
import "./recording-player.js";
import "./suggestion-list.js";
import "./summary-view.js";
import "./talk-share.js";
import "./timeline-view.js";
import "./transcript-view.js";

const LOOK_AGAIN_MS = 3_000;
const LOOKS_FOR_MORE = 10;

/** A finished call: summary, transcript, and its recording, which the transcript follows. */
@customElement("earshot-record")
export class RecordView extends LitElement {
  @property() callId = "";
  @property({ attribute: false }) gateway!: Gateway;
  @property({ type: Boolean }) mine = false;
  @state() private call: Call | null = null;
  @state() private trouble: "" | "missing" | "unanswered" = "";
  @state() private source = "";
  @state() private atMs = 0;
  @query("earshot-player") private player!: RecordingPlayer | null;
  @query("earshot-transcript") private transcript!: TranscriptView;

  static override styles = [
    shared,
    css`
      :host {
        min-height: 0;
        container-type: inline-size;
        overflow: hidden;
      }
      .whole {
        display: grid;
        grid-template: auto auto minmax(0, 1fr) / minmax(0, 1fr) 23rem;
        height: 100%;
        background: var(--surface);
      }
      header {
        display: flex;
        flex-wrap: wrap;
        gap: 0.2rem 0.8rem;
        grid-column: 1 / -1;
        align-items: baseline;
        padding: 0.8rem 1.25rem 0;
      }
      .facts {
        color: var(--soft);
        font-size: 0.87rem;
      }
      .course {
        display: grid;
        gap: 0.7rem;
        grid-column: 1 / -1;
        padding: 0.8rem 1.25rem 0.9rem;
        border-bottom: 1px solid var(--line);
      }
      .course > :is(earshot-talk-share, earshot-facts, .unrecorded) {
        margin-inline-start: 6.5rem;
      }
      aside {
        min-height: 0;
        overflow-y: auto;
        padding: 1.1rem 1.25rem 1.5rem;
        border-inline-start: 1px solid var(--line);
        background: var(--canvas);
      }
      section + section {
        margin-top: 1.5rem;
      }
      section h2 {
        margin-bottom: 0.5rem;
      }
      .note {
        padding: 14vh 1rem;
        text-align: center;
      }
      .note .empty {
        margin: 0.4rem auto 0.8rem;
      }
      @container (max-width: 52rem) {
        .whole {
          grid-template: auto auto minmax(16rem, 60vh) auto / minmax(0, 1fr);
          overflow-y: auto;
        }
        .course > :is(earshot-talk-share, earshot-facts, .unrecorded) {
          margin: 0;
        }
        header,
        .course {
          padding-inline: 1rem;
        }
        aside {
          overflow: visible;
          border: 0;
          border-block-start: 1px solid var(--line);
        }
      }
    `,
  ];

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("callId")) void this.load();
  }

  override render() {
    const { call } = this;
    if (this.trouble) return this.note();
    if (!call) return html`<div class="note"><h2>Loading…</h2></div>`;
    const at = this.source ? this.atMs : null;
    return html`<div class="whole" @point=${(event: CustomEvent<string>) => this.transcript.point(event.detail)}>
      ${this.header(call)}
      <div class="course">
        ${this.source
          ? html`<earshot-player
              .src=${this.source}
              .durationMs=${call.recording?.duration_ms ?? 0}
              @moment=${(event: CustomEvent<number>) => (this.atMs = event.detail)}
            ></earshot-player>`
          : html`<p class="empty unrecorded">There is no recording of this call.</p>`}
        <earshot-timeline
          .call=${call}
          .atMs=${at}
          @seek=${(event: CustomEvent<number>) => this.player?.goTo(event.detail)}
        ></earshot-timeline>
        <earshot-talk-share .share=${talkShare(call)}></earshot-talk-share>
        <earshot-facts .call=${call}></earshot-facts>
      </div>
      <earshot-transcript
        .call=${call}
        .atMs=${at}
        @seek=${(event: CustomEvent<number>) => this.player?.playFrom(event.detail)}
      ></earshot-transcript>
      <aside aria-label="About the call" tabindex="0">${this.about(call)}</aside>
    </div>`;
  }

  private note() {
    const missing = this.trouble === "missing";
    return html`<div class="note" role="alert">
      <h2>${missing ? "This call is not to be seen" : "The call could not be fetched"}</h2>
      <p class="empty">
        ${missing
          ? "It ended more than a day ago, or it is not one that you may see."
          : "The gateway did not answer."}
      </p>
      ${missing
        ? html`<a href=${addressOf({ page: "finished" })}>Calls of the last day</a>`
        : html`<button @click=${() => this.load()}>Try again</button>`}
    </div>`;
  }

  private header(call: Call) {
    const began = beganAt(call);
    const duration = durationMs(call, 0);
    const heard = heardShare(call);
    const facts = [
      began ? `Began ${hourAndMinute(began)}` : "",
      duration === null ? "" : `${clock(duration)} long`,
      heard === null ? "" : `${heard} % heard`,
      call.summary && !call.summary.transcript_complete ? "Transcript not complete" : "",
    ].filter(Boolean);
    const result = call.summary?.result;
    return html`<header>
      <h1 tabindex="-1">${this.mine ? "Your call" : agentName(call)}</h1>
      ${result && result !== "unknown" ? html`<span class="chip ${result}">${words(result)}</span>` : nothing}
      <p class="facts figure">${facts.join(" · ")}</p>
    </header>`;
  }

  private about(call: Call) {
    const summary = call.summary ?? call.insights.get("summary")?.summary;
    const steps = checklistOf(call);
    const alerts = this.mine ? [] : alertsOf(call);
    return html`<section aria-label="Summary">
        <h2>Summary</h2>
        ${summary
          ? html`<earshot-summary .summary=${summary}></earshot-summary>`
          : html`<p class="empty">None was made of this call.</p>`}
      </section>
      ${steps.length
        ? html`<section aria-label="Checklist">
            <h2>Checklist, ${steps.filter((step) => step.status === "done").length} of ${steps.length}</h2>
            <earshot-checklist .steps=${steps}></earshot-checklist>
          </section>`
        : nothing}
      ${alerts.length
        ? html`<section aria-label="Alerts"><h2>Alerts</h2><earshot-alerts .alerts=${alerts}></earshot-alerts></section>`
        : nothing}
      <section aria-label="Suggestions">
        <h2>Suggestions</h2>
        <earshot-suggestions .call=${call}></earshot-suggestions>
      </section>`;
  }

  private async load(): Promise<void> {
    const { callId } = this;
    [this.call, this.trouble, this.source, this.atMs] = [null, "", "", 0];
    try {
      await this.fetch(callId);
      for (let look = 0; look < LOOKS_FOR_MORE && this.lacks(callId); look += 1) {
        await new Promise((then) => setTimeout(then, LOOK_AGAIN_MS));
        if (this.lacks(callId)) await this.fetch(callId);
      }
    } catch (error) {
      if (callId === this.callId && !this.call)
        this.trouble = error instanceof Unanswered && error.status === 404 ? "missing" : "unanswered";
    }
  }

  /** Whether the shown call still waits for its summary or its recording: both come a little after its end. */
  private lacks(callId: string): boolean {
    return callId === this.callId && this.isConnected && !(this.call?.summary && this.source);
  }

  private async fetch(callId: string): Promise<void> {
    const call = fromWire(await this.gateway.call(callId));
    const source = call.recording ? this.source || (await this.gateway.recording(callId).catch(() => "")) : "";
    if (callId === this.callId) [this.call, this.source] = [call, source];
  }
}
