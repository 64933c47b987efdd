import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Alert, Citation, Suggestion } from "./protocol.js";
import { type Call, isLive } from "./store.js";
import { shared } from "./styles.js";
import { clock, hourAndMinute, safeLink, words } from "./text.js";

/** Alerts, suggestions with their sources, and the summary; fires `feedback` with `{suggestion_id, action}`. */
@customElement("help-panel")
export class HelpPanel extends LitElement {
  @property({ attribute: false }) call!: Call;
  @property({ type: Number }) now = 0;

  static override styles = [
    shared,
    css`
      :host {
        overflow-y: auto;
        padding: 1.25rem;
      }
      section + section {
        margin-top: 1.5rem;
      }
      h2 {
        margin-bottom: 0.5rem;
      }
      ul {
        display: grid;
        gap: 0.75rem;
      }
      article,
      .summary {
        padding: 0.85rem 1rem;
        border: 1px solid var(--line);
        border-radius: 10px;
        background: var(--surface);
        box-shadow: var(--shadow);
      }
      h3 {
        font-size: 0.95rem;
        font-weight: 600;
      }
      blockquote {
        margin: 0.6rem 0 0;
        padding-inline-start: 0.75rem;
        border-inline-start: 2px solid var(--line);
        color: var(--soft);
        font-size: 0.87rem;
      }
      cite {
        display: block;
        margin-top: 0.25rem;
        font-style: normal;
        font-size: 0.8rem;
        overflow-wrap: anywhere;
      }
      .buttons {
        display: flex;
        gap: 0.5rem;
        align-items: center;
        margin-top: 0.75rem;
      }
      .take {
        border-color: var(--agent);
        color: var(--agent);
        font-weight: 600;
      }
      .done {
        color: var(--soft);
        font-size: 0.87rem;
      }
      .accepted {
        color: var(--good);
        font-weight: 600;
      }
      .past h3,
      .past .text {
        color: var(--soft);
      }
      .alert {
        padding: 0.5rem 0.75rem;
        border-radius: 8px;
        background: var(--other-tint);
        font-size: 0.9rem;
      }
      .warning {
        background: var(--warn-tint);
        color: var(--warn);
      }
      .critical {
        background: var(--bad-tint);
        color: var(--bad);
      }
      .empty {
        color: var(--soft);
        font-size: 0.9rem;
      }
      dl {
        display: grid;
        grid-template-columns: auto 1fr;
        gap: 0.15rem 0.75rem;
        margin: 0.6rem 0 0;
        font-size: 0.87rem;
      }
      dt {
        color: var(--soft);
      }
      dd {
        margin: 0;
        overflow-wrap: anywhere;
      }
      .summary p {
        white-space: pre-line;
      }
    `,
  ];

  override render() {
    const suggestions = [...this.call.suggestions.values()].reverse();
    const alerts = [...this.call.alerts.values()].reverse();
    return html`
      ${this.summary()}
      ${alerts.length
        ? html`<section aria-label="Alerts">
            <h2>Alerts</h2>
            <ul>
              ${alerts.map((alert) => html`<li class="alert ${alert.severity}">${this.alert(alert)}</li>`)}
            </ul>
          </section>`
        : nothing}
      <section aria-label="Suggestions">
        <h2>Suggestions</h2>
        ${suggestions.length
          ? html`<ul>
              ${repeat(
                suggestions,
                (suggestion) => suggestion.suggestion_id,
                (suggestion) => html`<li>${this.suggestion(suggestion)}</li>`,
              )}
            </ul>`
          : html`<p class="empty">
              ${isLive(this.call) ? "Passages that fit what the customer asks appear here." : "None were made for this call."}
            </p>`}
      </section>
    `;
  }

  private suggestion(suggestion: Suggestion) {
    const action = this.call.feedback.get(suggestion.suggestion_id)?.action;
    const decided = action === "accepted" || action === "dismissed";
    const past = action === "dismissed" || (!decided && Date.parse(suggestion.expires_at) < this.now);
    return html`<article class=${past ? "past" : ""}>
      ${suggestion.title ? html`<h3>${suggestion.title}</h3>` : nothing}
      <p class="text">${suggestion.text}</p>
      ${suggestion.citations.map((citation) => this.citation(citation, suggestion))}
      <div class="buttons">
        ${decided
          ? html`<span class="done ${action}">${words(action)}</span>`
          : html`<button class="take" @click=${() => this.feedback(suggestion, "accepted")}>Accept</button>
              <button @click=${() => this.feedback(suggestion, "dismissed")}>Dismiss</button>
              ${past ? html`<span class="done">Earlier in the call</span>` : nothing}`}
      </div>
    </article>`;
  }

  private citation(citation: Citation, suggestion: Suggestion) {
    const link = safeLink(citation.url);
    const name = citation.title && citation.title !== suggestion.title ? citation.title : citation.source;
    return html`<blockquote>
      ${citation.passage === suggestion.text ? nothing : html`<p>${citation.passage}</p>`}
      <cite>${link ? html`<a href=${link} target="_blank" rel="noopener noreferrer">${name}</a>` : name}</cite>
    </blockquote>`;
  }

  private alert(alert: Alert) {
    return html`<strong>${words(alert.category || alert.rule)}</strong> at ${hourAndMinute(alert.at)}`;
  }

  private summary() {
    const { summary, recording } = this.call;
    if (!summary) return nothing;
    return html`<section aria-label="Summary">
      <h2>Summary</h2>
      <div class="summary">
        <p>${summary.summary || summary.reason_for_call || "Nothing to sum up."}</p>
        <dl>
          ${summary.outcome ? html`<dt>Heard</dt><dd>${words(summary.outcome)}</dd>` : nothing}
          ${summary.categories.length
            ? html`<dt>About</dt><dd>${summary.categories.map(words).join(", ")}</dd>`
            : nothing}
          <dt>Words</dt>
          <dd>${summary.words.toLocaleString()}${summary.transcript_complete ? "" : ", transcript not complete"}</dd>
          ${recording ? html`<dt>Recording</dt><dd>${clock(recording.duration_ms)}, ${recording.layout}</dd>` : nothing}
        </dl>
      </div>
    </section>`;
  }

  private feedback(suggestion: Suggestion, action: "accepted" | "dismissed"): void {
    this.dispatchEvent(new CustomEvent("feedback", { detail: { suggestion_id: suggestion.suggestion_id, action } }));
  }
}
