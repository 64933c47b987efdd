import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { RunningSummary, Summary } from "./protocol.js";
import { shared } from "./styles.js";
import { words } from "./text.js";

/** What the call is about: why, what was done, promised, left open. */
@customElement("earshot-summary")
export class SummaryView extends LitElement {
  @property({ attribute: false }) summary!: RunningSummary | Summary;

  static override styles = [
    shared,
    css`
      dl {
        display: grid;
        gap: 0.7rem;
        font-size: 0.9rem;
      }
      dt {
        color: var(--soft);
        font-size: 0.8rem;
        font-weight: 600;
      }
      dd {
        overflow-wrap: anywhere;
      }
      li + li {
        margin-top: 0.25rem;
      }
      .whole {
        margin-bottom: 0.7rem;
        font-size: 0.9rem;
        white-space: pre-line;
      }
    `,
  ];

  override render() {
    const told = this.summary;
    const reason = "reason" in told ? told.reason : told.reason_for_call;
    const text = "text" in told ? told.text : told.summary;
    const parts = [told.steps, told.promises, told.open_points].some((part) => part?.length);
    const result = told.result && told.result !== "unknown" ? words(told.result) : "";
    if (!reason && !parts && !result) return html`<p class="whole">${text || "Nothing to sum up yet."}</p>`;
    return html`<dl>
      ${this.line("Why they called", reason)} ${this.list("What was done", told.steps)}
      ${this.list("Promised", told.promises)} ${this.list("Left open", told.open_points)} ${this.line("Result", result)}
    </dl>`;
  }

  private line(name: string, text: string) {
    return text ? html`<div><dt>${name}</dt><dd>${text}</dd></div>` : nothing;
  }

  private list(name: string, lines: readonly string[] | undefined) {
    if (!lines?.length) return nothing;
    return html`<div>
      <dt>${name}</dt>
      <dd>
        <ul>
          ${lines.map((line) => html`<li>${line}</li>`)}
        </ul>
      </dd>
    </div>`;
  }
}
