import { LitElement, type PropertyValues, css, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Utterance } from "./protocol.js";
import { type Call, isLive } from "./store.js";
import { shared } from "./styles.js";
import { clock, pieces, speaker } from "./text.js";
import { type Turn, spokenAt, turns } from "./turns.js";

const NEAR_END_PX = 60;
const GAP_WORTH_SAYING_MS = 200;

/** Both speakers' words as they come, set like a script: nothing moves sideways while a line grows. Finals are read
 * out by screen readers, partials are not: they still change. With `atMs` it follows a recording, and each turn's time
 * fires `seek` with where it begins. */
@customElement("earshot-transcript")
export class TranscriptView extends LitElement {
  @property({ attribute: false }) call!: Call;
  /** Where the recording is; null for a live call. */
  @property({ attribute: false }) atMs: number | null = null;
  @state() private follows = true;
  @state() private spoken: readonly Utterance[] = [];
  @state() private pointed = "";
  @query(".scroll") private pane!: HTMLElement;
  private known = new Set<string>();
  private knownOf = "";
  private current = "";

  static override styles = [
    shared,
    css`
      :host {
        position: relative;
        min-height: 0;
      }
      .scroll {
        height: 100%;
        overflow-y: auto;
        padding: 1.25rem;
        overflow-anchor: none;
      }
      ol {
        max-width: 52rem;
      }
      li {
        display: grid;
        grid-template-columns: 5.5rem minmax(0, 1fr);
        column-gap: 1rem;
        padding-block: 0.45rem;
      }
      .label {
        padding-top: 0.1rem;
        color: var(--soft);
        font-size: 0.8rem;
        line-height: 1.4;
        text-align: end;
      }
      .label b {
        display: block;
        font-weight: 600;
      }
      .label time,
      .label button {
        font-size: 0.8rem;
        font-variant-numeric: tabular-nums;
      }
      .label button {
        min-height: 1.5rem;
        padding: 0 0.25rem;
        border-color: transparent;
        background: none;
        color: var(--soft);
        text-decoration: underline;
        text-decoration-color: var(--line);
        text-underline-offset: 0.2em;
      }
      .agent b {
        color: var(--agent);
      }
      .customer b {
        color: var(--customer);
      }
      .said {
        padding-inline-start: 1rem;
        border-inline-start: 3px solid var(--line);
        overflow-wrap: anywhere;
      }
      .agent .said {
        border-color: var(--agent-fill);
      }
      .customer .said {
        border-color: var(--customer-fill);
      }
      .partial {
        color: var(--soft);
      }
      .partial .word {
        animation: appear 200ms ease-out;
      }
      .current,
      .pointed {
        border-radius: 3px;
        background: var(--agent-tint);
        box-shadow: 0 0 0 3px var(--agent-tint);
      }
      .customer .current {
        background: var(--customer-tint);
        box-shadow: 0 0 0 3px var(--customer-tint);
      }
      .pointed {
        background: var(--warn-tint);
        box-shadow: 0 0 0 3px var(--warn-tint);
      }
      .now {
        text-decoration: underline 2px;
        text-underline-offset: 0.22em;
      }
      mark {
        padding: 0 0.35rem;
        border: 1px dashed var(--edge);
        border-radius: 4px;
        background: none;
        color: var(--soft);
        font-size: 0.87em;
        white-space: nowrap;
      }
      .gap {
        color: var(--warn);
        font-size: 0.8rem;
      }
      .latest {
        position: absolute;
        bottom: 1rem;
        left: 50%;
        border-radius: 99px;
        box-shadow: var(--shadow);
        transform: translateX(-50%);
      }
      @keyframes appear {
        from {
          opacity: 0;
        }
      }
      @media (prefers-reduced-motion: reduce) {
        .partial .word {
          animation: none;
        }
      }
      @container (max-width: 36rem) {
        .scroll {
          padding: 0.75rem 1rem 1.25rem;
        }
        li {
          grid-template-columns: minmax(0, 1fr);
        }
        .label {
          display: flex;
          gap: 0.5rem;
          text-align: start;
        }
        .said {
          padding-inline-start: 0.75rem;
        }
      }
    `,
  ];

  /** Show an utterance and mark it for a moment. */
  async point(utteranceId: string): Promise<void> {
    this.follows = false;
    this.pointed = utteranceId;
    await this.updateComplete;
    this.shadowRoot?.querySelector(".pointed")?.scrollIntoView({ block: "center" });
    window.setTimeout(() => {
      if (this.pointed === utteranceId) this.pointed = "";
    }, 3_000);
  }

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("call")) this.noteFinals();
    this.current = this.atMs === null ? "" : spokenAt(this.call, this.atMs);
  }

  override updated(changed: PropertyValues<this>): void {
    if (!this.follows) return;
    if (this.atMs === null) {
      if (changed.has("call")) this.pane.scrollTop = this.pane.scrollHeight;
    } else if (changed.has("atMs")) this.keepInView(this.shadowRoot?.querySelector(".current") ?? null);
  }

  override render() {
    const list = turns(this.call);
    return html`
      <div
        class="scroll"
        tabindex="0"
        role="region"
        aria-label="Transcript"
        @scroll=${this.scrolled}
        @wheel=${this.takeOver}
        @touchmove=${this.takeOver}
      >
        ${list.length
          ? html`<ol>
              ${repeat(
                list,
                (turn) => turn.key,
                (turn) => this.turn(turn),
              )}
            </ol>`
          : html`<p class="empty">${this.emptiness()}</p>`}
      </div>
      ${this.follows
        ? nothing
        : html`<button class="latest" @click=${this.toLatest}>
            ${this.atMs === null ? "Go to the latest words" : "Follow the recording"}
          </button>`}
      ${this.atMs === null
        ? html`<div class="unseen" role="log" aria-live="polite" aria-label="Newest words">
            ${repeat(
              this.spoken,
              (utterance) => utterance.utterance_id,
              (utterance) => html`<p>${speaker(utterance.role)}: ${utterance.text}</p>`,
            )}
          </div>`
        : nothing}
    `;
  }

  private emptiness(): string {
    if (!this.call.full) return "Loading the transcript…";
    return isLive(this.call) ? "Nothing has been said yet." : "No words of this call are at hand.";
  }

  private turn(turn: Turn) {
    return html`<li class=${turn.role}>
      <div class="label">
        <b>${speaker(turn.role)}</b>
        ${this.atMs === null
          ? html`<time>${clock(turn.startMs)}</time>`
          : html`<button
              aria-label="Play from ${clock(turn.startMs)}"
              @click=${() => this.dispatchEvent(new CustomEvent("seek", { detail: turn.startMs }))}
            >
              ${clock(turn.startMs)}
            </button>`}
      </div>
      <p class="said">
        ${repeat(
          turn.utterances,
          (utterance) => utterance.utterance_id,
          (utterance) => this.utterance(utterance),
        )}
      </p>
    </li>`;
  }

  private utterance(utterance: Utterance) {
    const gap = utterance.gap_before_ms;
    const classes = [
      utterance.is_final ? "final" : "partial",
      utterance.utterance_id === this.current ? "current" : "",
      utterance.utterance_id === this.pointed ? "pointed" : "",
    ];
    return html`${gap >= GAP_WORTH_SAYING_MS
        ? html`<span class="gap">(${(gap / 1000).toFixed(1)} s of audio missing) </span>`
        : nothing}<span class=${classes.filter(Boolean).join(" ")} data-utterance=${utterance.utterance_id}
        >${this.words(utterance)}</span
      > `;
  }

  private words(utterance: Utterance) {
    const parts = pieces(utterance.text, utterance.redactions);
    const sounding = utterance.utterance_id === this.current ? this.soundingWord(utterance, parts.length) : -1;
    return parts.map((piece, index) =>
      piece.hidden
        ? html`<mark title="Hidden: ${piece.hidden}">${piece.text}</mark>`
        : html`<span class=${index === sounding ? "word now" : "word"}>${piece.text}</span>`,
    );
  }

  /** Which piece sounds now; -1 where the words' times do not match the pieces one by one. */
  private soundingWord(utterance: Utterance, count: number): number {
    const { words } = utterance;
    if (this.atMs === null || words?.length !== count) return -1;
    return words.findLastIndex((word) => word.start_ms <= (this.atMs ?? 0));
  }

  /** Keep the newest finals for screen readers; those that were there before the call was opened stay unread. */
  private noteFinals(): void {
    const finals = [...this.call.utterances.values()].filter((utterance) => utterance.is_final);
    const place = `${this.call.callId}:${this.call.full}`;
    if (this.knownOf !== place) {
      if (!this.knownOf.startsWith(`${this.call.callId}:`)) this.follows = true;
      this.knownOf = place;
      this.spoken = [];
      this.known = new Set(finals.map((utterance) => utterance.utterance_id));
      return;
    }
    const fresh = finals.filter((utterance) => !this.known.has(utterance.utterance_id));
    for (const utterance of fresh) this.known.add(utterance.utterance_id);
    if (fresh.length) this.spoken = [...this.spoken, ...fresh].slice(-5);
  }

  private keepInView(line: Element | null): void {
    if (line === null) return;
    const pane = this.pane.getBoundingClientRect();
    const at = line.getBoundingClientRect();
    if (at.top < pane.top + 20 || at.bottom > pane.bottom - 40)
      this.pane.scrollTop += at.top - pane.top - pane.height / 3;
  }

  /** Whoever scrolls a live call away from its end stops following it; a recording is left by hand alone. */
  private scrolled(): void {
    if (this.atMs !== null) return;
    const { scrollTop, scrollHeight, clientHeight } = this.pane;
    this.follows = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  private takeOver(): void {
    if (this.atMs !== null) this.follows = false;
  }

  private toLatest(): void {
    this.follows = true;
    if (this.atMs === null) this.pane.scrollTop = this.pane.scrollHeight;
    else this.keepInView(this.shadowRoot?.querySelector(".current") ?? null);
  }
}
