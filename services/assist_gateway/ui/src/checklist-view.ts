import { LitElement, css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { ChecklistStep } from "./protocol.js";
import { shared } from "./styles.js";
import { clock } from "./text.js";

const SAID: Record<ChecklistStep["status"], string> = { open: "open", done: "done", missed: "missed" };

/** The steps of the call, ticked by themselves as they are heard. */
@customElement("earshot-checklist")
export class ChecklistView extends LitElement {
  @property({ attribute: false }) steps: readonly ChecklistStep[] = [];

  static override styles = [
    shared,
    css`
      ol {
        display: grid;
        gap: 0.1rem;
      }
      li {
        display: grid;
        grid-template-columns: 1.1rem 1fr auto;
        gap: 0.6rem;
        align-items: baseline;
        padding: 0.2rem 0;
        font-size: 0.9rem;
      }
      svg {
        align-self: center;
        width: 1.1rem;
        height: 1.1rem;
        fill: none;
        stroke: var(--edge);
        stroke-width: 1.5;
        stroke-linecap: round;
        stroke-linejoin: round;
      }
      .done {
        color: var(--soft);
      }
      .done svg {
        stroke: var(--good);
      }
      .missed {
        color: var(--bad);
      }
      .missed svg {
        stroke: var(--bad);
      }
      time {
        color: var(--soft);
        font-size: 0.8rem;
      }
    `,
  ];

  override render() {
    return html`<ol>
      ${repeat(
        this.steps,
        (step) => step.step,
        (step) =>
          html`<li class=${step.status} data-step=${step.step}>
            ${this.mark(step.status)}
            <span>${step.title}<span class="unseen">, ${SAID[step.status]}</span></span>
            ${step.status === "done" && step.at_ms !== undefined ? html`<time>${clock(step.at_ms)}</time>` : html`<span></span>`}
          </li>`,
      )}
    </ol>`;
  }

  private mark(status: ChecklistStep["status"]) {
    switch (status) {
      case "done":
        return html`<svg viewBox="0 0 16 16" aria-hidden="true">
          <circle cx="8" cy="8" r="7" />
          <path d="M4.8 8.3 7 10.5l4.3-4.7" />
        </svg>`;
      case "missed":
        return html`<svg viewBox="0 0 16 16" aria-hidden="true">
          <circle cx="8" cy="8" r="7" />
          <path d="m5.5 5.5 5 5m0-5-5 5" />
        </svg>`;
      default:
        return html`<svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="7" /></svg>`;
    }
  }
}
