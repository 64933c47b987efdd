import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { TalkShare } from "./figures.js";
import { shared } from "./styles.js";

/** Who talks how much. `slim` leaves the figures out of sight. */
@customElement("earshot-talk-share")
export class TalkShareBar extends LitElement {
  @property({ attribute: false }) share: TalkShare | null = null;
  @property({ type: Boolean }) slim = false;

  static override styles = [
    shared,
    css`
      :host {
        font-size: 0.8rem;
      }
      .row {
        display: grid;
        grid-template-columns: auto minmax(3rem, 1fr) auto;
        gap: 0.6rem;
        align-items: center;
      }
      .row.slim {
        grid-template-columns: 1fr;
      }
      .bar {
        display: flex;
        gap: 2px;
        height: 6px;
        overflow: hidden;
        border-radius: 3px;
        background: var(--raised);
      }
      .slim .bar {
        height: 4px;
      }
      .bar span {
        transition: width 400ms ease;
      }
      .agent {
        color: var(--agent);
      }
      .customer {
        color: var(--customer);
      }
      .bar .agent {
        background: var(--agent-fill);
      }
      .bar .customer {
        background: var(--customer-fill);
      }
      @media (prefers-reduced-motion: reduce) {
        .bar span {
          transition: none;
        }
      }
    `,
  ];

  override render() {
    const { share, slim } = this;
    const said = share
      ? `Talk share: agent ${share.agent} percent, customer ${share.customer} percent`
      : "Talk share: nothing said yet";
    return html`<div class=${slim ? "row slim" : "row"} role="img" aria-label=${said}>
      ${slim ? nothing : html`<span class="figure agent">Agent ${share ? `${share.agent} %` : "–"}</span>`}
      <span class="bar">
        ${share
          ? html`<span class="agent" .style=${`width: ${share.agent}%`}></span>
              <span class="customer" .style=${`width: ${share.customer}%`}></span>`
          : nothing}
      </span>
      ${slim ? nothing : html`<span class="figure customer">Customer ${share ? `${share.customer} %` : "–"}</span>`}
    </div>`;
  }
}
