import { LitElement, css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Alert } from "./protocol.js";
import { shared } from "./styles.js";
import { clock, hourAndMinute, words } from "./text.js";

/** What an alert says of itself. */
export function alertTitle(alert: Alert): string {
  return alert.title || words(alert.rule || alert.category);
}

/** Alerts of a call, the gravest first. New ones are read out. */
@customElement("earshot-alerts")
export class AlertList extends LitElement {
  @property({ attribute: false }) alerts: readonly Alert[] = [];

  static override styles = [
    shared,
    css`
      ul {
        display: grid;
        gap: 0.4rem;
      }
      li {
        display: flex;
        gap: 0.75rem;
        justify-content: space-between;
        padding: 0.45rem 0.75rem;
        border-radius: 8px;
        background: var(--raised);
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
      time {
        flex: none;
      }
    `,
  ];

  override render() {
    return html`<ul aria-live="polite">
      ${repeat(
        this.alerts,
        (alert) => alert.alert_id,
        (alert) =>
          html`<li class=${alert.severity}>
            <span><span class="unseen">${words(alert.severity)}: </span>${alertTitle(alert)}</span>
            <time>${alert.at_ms === undefined ? hourAndMinute(alert.at) : clock(alert.at_ms)}</time>
          </li>`,
      )}
    </ul>`;
  }
}
