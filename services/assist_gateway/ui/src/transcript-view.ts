import { LitElement, type PropertyValues, css, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Utterance } from "./protocol.js";
import { type Call, type Turn, isLive, turns } from "./store.js";
import { shared } from "./styles.js";
import { clock, pieces, speaker } from "./text.js";

const NEAR_END_PX = 60;
const GAP_WORTH_SAYING_MS = 200;

/** Both speakers' words as they come. Finals are read out by screen readers, partials are not: they still change. */
@customElement("transcript-view")
export class TranscriptView extends LitElement {
  @property({ attribute: false }) call!: Call;
  @state() private follows = true;
  @state() private spoken: readonly Utterance[] = [];
  @query(".scroll") private pane!: HTMLElement;
  private known = new Set<string>();
  private knownOf = "";

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
      }
      ol {
        display: flex;
        flex-direction: column;
        gap: 0.9rem;
        max-width: 60rem;
        margin: 0 auto;
      }
      li {
        max-width: min(80%, 42rem);
      }
      .customer {
        align-self: flex-end;
      }
      .label {
        display: flex;
        gap: 0.5rem;
        margin-bottom: 0.2rem;
        color: var(--soft);
        font-size: 0.8rem;
      }
      .label b {
        font-weight: 600;
      }
      .agent .label b {
        color: var(--agent);
      }
      .customer .label {
        justify-content: flex-end;
      }
      .customer .label b {
        color: var(--customer);
      }
      .label time {
        font-variant-numeric: tabular-nums;
      }
      .said {
        padding: 0.55rem 0.85rem;
        border-radius: 4px 12px 12px 12px;
        background: var(--other-tint);
        overflow-wrap: anywhere;
      }
      .agent .said {
        background: var(--agent-tint);
      }
      .customer .said {
        border-radius: 12px 4px 12px 12px;
        background: var(--customer-tint);
      }
      .partial {
        color: var(--soft);
        font-style: italic;
      }
      .partial .word {
        animation: appear 180ms ease-out;
      }
      mark {
        padding: 0 0.35rem;
        border: 1px dashed var(--soft);
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
      .empty {
        padding: 2rem;
        color: var(--soft);
        text-align: center;
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
      @media (max-width: 720px) {
        .scroll {
          padding: 1rem;
        }
        li {
          max-width: 92%;
        }
      }
    `,
  ];

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("call")) this.noteFinals();
  }

  override updated(changed: PropertyValues<this>): void {
    if (!changed.has("call") || !this.follows) return;
    this.pane.scrollTop = this.pane.scrollHeight;
  }

  override render() {
    const list = turns(this.call);
    return html`
      <div class="scroll" tabindex="0" role="region" aria-label="Transcript" @scroll=${this.scrolled}>
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
      ${this.follows ? nothing : html`<button class="latest" @click=${this.toLatest}>Go to the latest words</button>`}
      <div class="unseen" role="log" aria-live="polite" aria-label="Newest words">
        ${repeat(
          this.spoken,
          (utterance) => utterance.utterance_id,
          (utterance) => html`<p>${speaker(utterance.role)}: ${utterance.text}</p>`,
        )}
      </div>
    `;
  }

  private emptiness(): string {
    if (!this.call.full) return "Loading the transcript…";
    return isLive(this.call) ? "Nothing has been said yet." : "No words of this call are at hand.";
  }

  private turn(turn: Turn) {
    return html`<li class=${turn.role}>
      <div class="label"><b>${speaker(turn.role)}</b><time>${clock(turn.startMs)}</time></div>
      <div class="said">
        ${repeat(
          turn.utterances,
          (utterance) => utterance.utterance_id,
          (utterance) => this.utterance(utterance),
        )}
      </div>
    </li>`;
  }

  private utterance(utterance: Utterance) {
    const gap = utterance.gap_before_ms;
    return html`${gap >= GAP_WORTH_SAYING_MS
        ? html`<span class="gap">(${(gap / 1000).toFixed(1)} s of audio missing) </span>`
        : nothing}<span class=${utterance.is_final ? "final" : "partial"}
        >${pieces(utterance.text, utterance.redactions).map((piece) =>
          piece.hidden
            ? html`<mark title="Hidden: ${piece.hidden}">${piece.text}</mark>`
            : html`<span class="word">${piece.text}</span>`,
        )}</span
      > `;
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

  private scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.pane;
    this.follows = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  private toLatest(): void {
    this.follows = true;
    this.pane.scrollTop = this.pane.scrollHeight;
  }
}
