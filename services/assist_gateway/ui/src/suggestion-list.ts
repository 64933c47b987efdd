import { LitElement, css, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Citation, DismissReason, FeedbackAction, Suggestion } from "./protocol.js";
import { type Call, isLive } from "./store.js";
import { shared } from "./styles.js";
import { clock, safeLink, words } from "./text.js";

const REASONS: readonly (readonly [DismissReason, string])[] = [
  ["not_relevant", "Does not fit"],
  ["wrong", "Is wrong"],
  ["already_known", "I knew it"],
  ["too_late", "Too late"],
  ["other", "Other"],
];

export interface Verdict {
  suggestion_id: string;
  action: FeedbackAction;
  reason?: DismissReason;
}

/** What may help, newest first, each with its source; fires `feedback` with a Verdict and `point` with an utterance's id. */
@customElement("earshot-suggestions")
export class SuggestionList extends LitElement {
  @property({ attribute: false }) call!: Call;
  @property({ type: Number }) now = 0;
  /** The suggestion whose dismissal is being explained. */
  @state() private asking = "";

  static override styles = [
    shared,
    css`
      ul {
        display: grid;
        gap: 0.75rem;
      }
      article {
        padding: 0.85rem 1rem;
        border: 1px solid var(--line);
        border-radius: 10px;
        background: var(--surface);
        box-shadow: var(--shadow);
      }
      .text {
        margin-top: 0.25rem;
      }
      .source {
        margin-top: 0.5rem;
        color: var(--soft);
        font-size: 0.8rem;
        overflow-wrap: anywhere;
      }
      blockquote {
        margin: 0.5rem 0 0;
        padding-inline-start: 0.75rem;
        border-inline-start: 2px solid var(--line);
        color: var(--soft);
        font-size: 0.87rem;
      }
      .source button {
        min-height: 0;
        padding: 0 0.15rem;
        border: 0;
        background: none;
        color: var(--agent);
        font-size: inherit;
        font-weight: 400;
        text-decoration: underline;
        text-underline-offset: 0.15em;
      }
      .buttons {
        display: flex;
        flex-wrap: wrap;
        gap: 0.4rem;
        align-items: center;
        min-height: 2rem;
        margin-top: 0.7rem;
      }
      .done {
        color: var(--soft);
        font-size: 0.87rem;
      }
      .accepted {
        color: var(--good);
        font-weight: 600;
      }
      .past {
        border-color: transparent;
        background: none;
        box-shadow: none;
      }
      .past h3,
      .past .text {
        color: var(--soft);
      }
      fieldset {
        display: contents;
        margin: 0;
        padding: 0;
        border: 0;
      }
      legend {
        float: inline-start;
        width: 100%;
        padding: 0 0 0.3rem;
        font-size: 0.87rem;
        font-weight: 600;
      }
    `,
  ];

  override render() {
    const suggestions = [...this.call.suggestions.values()].sort(
      (a, b) => b.created_at.localeCompare(a.created_at) || b.suggestion_id.localeCompare(a.suggestion_id),
    );
    if (!suggestions.length)
      return html`<p class="empty">
        ${isLive(this.call) ? "Passages that fit what the customer asks appear here." : "None were made for this call."}
      </p>`;
    return html`<ul>
      ${repeat(
        suggestions,
        (suggestion) => suggestion.suggestion_id,
        (suggestion) => html`<li>${this.suggestion(suggestion)}</li>`,
      )}
    </ul>`;
  }

  private suggestion(suggestion: Suggestion) {
    const told = this.call.feedback.get(suggestion.suggestion_id);
    const decided = told?.action === "accepted" || told?.action === "dismissed";
    const late = !isLive(this.call) || Date.parse(suggestion.expires_at) < this.now;
    const past = told?.action === "dismissed" || (!decided && late);
    return html`<article class=${past ? "past" : ""} data-suggestion=${suggestion.suggestion_id}>
      ${suggestion.title ? html`<h3>${suggestion.title}</h3>` : nothing}
      ${this.text(suggestion)}
      ${suggestion.citations.map((citation) => this.citation(citation, suggestion))}
      <div class="buttons">
        ${decided ? this.verdict(told.action, told.reason) : this.buttons(suggestion, late)}
      </div>
    </article>`;
  }

  /** Where the passage that it is taken from says the same and more, that alone. */
  private text(suggestion: Suggestion) {
    const quoted = suggestion.citations.some((citation) => citation.passage.includes(suggestion.text));
    return quoted ? nothing : html`<p class="text">${suggestion.text}</p>`;
  }

  private verdict(action: FeedbackAction, reason: string | undefined) {
    const why = REASONS.find(([code]) => code === reason)?.[1];
    return html`<span class="done ${action}">${words(action)}${why ? `: ${why}` : ""}</span>`;
  }

  private buttons(suggestion: Suggestion, late: boolean) {
    if (!isLive(this.call)) return html`<span class="done">Not decided on</span>`;
    if (this.asking !== suggestion.suggestion_id)
      return html`<button class="main" @click=${() => this.tell(suggestion, "accepted")}>Accept</button>
        <button @click=${() => (this.asking = suggestion.suggestion_id)}>Dismiss</button>
        ${late ? html`<span class="done">Earlier in the call</span>` : nothing}`;
    return html`<fieldset>
      <legend>Why not?</legend>
      ${REASONS.map(
        ([code, text]) => html`<button @click=${() => this.tell(suggestion, "dismissed", code)}>${text}</button>`,
      )}
      <button class="plain" @click=${() => (this.asking = "")}>Keep it</button>
    </fieldset>`;
  }

  private citation(citation: Citation, suggestion: Suggestion) {
    const link = safeLink(citation.url);
    const name = citation.title && citation.title !== suggestion.title ? citation.title : citation.source;
    const full = citation.section ? `${name}, ${citation.section}` : name;
    const source = suggestion.source_utterance_ids?.[0] ?? "";
    const heard = this.call.utterances.get(source);
    return html`${citation.passage.includes(suggestion.text)
        ? html`<p class="text">${citation.passage}</p>`
        : html`<blockquote>${citation.passage}</blockquote>`}
      <p class="source">
        From ${link ? html`<a href=${link} target="_blank" rel="noopener noreferrer">${full}</a>` : full}${heard
          ? html` · said at
              <button @click=${() => this.fire("point", source)}>${clock(heard.start_ms)}</button>`
          : nothing}
      </p>`;
  }

  private tell(suggestion: Suggestion, action: FeedbackAction, reason?: DismissReason): void {
    this.asking = "";
    const verdict: Verdict = { suggestion_id: suggestion.suggestion_id, action, ...(reason ? { reason } : {}) };
    this.fire("feedback", verdict);
  }

  private fire(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}
