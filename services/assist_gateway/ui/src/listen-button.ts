import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { Levels } from "./audio/playout.js";
import type { Listening } from "./listen-in.js";
import { shared } from "./styles.js";

/** Starts and ends listening in; fires `listen` and `unlisten`. The two bars show what sounds, agent and customer. */
@customElement("earshot-listen")
export class ListenButton extends LitElement {
  @property({ attribute: false }) listening: Listening = { phase: "off", callId: "", trouble: "" };
  @property({ attribute: false }) levels: Levels | null = null;
  @property() callId = "";

  static override styles = [
    shared,
    css`
      :host {
        display: flex;
        gap: 0.6rem;
        align-items: center;
      }
      button {
        display: inline-flex;
        gap: 0.5rem;
        align-items: center;
        min-width: 8.6rem;
        justify-content: center;
      }
      svg {
        width: 1rem;
        height: 1rem;
        fill: none;
        stroke: currentcolor;
        stroke-width: 1.6;
        stroke-linecap: round;
      }
      .on {
        border-color: var(--good);
        color: var(--good);
      }
      .meters {
        display: grid;
        gap: 3px;
        width: 3.5rem;
      }
      .meters span {
        height: 4px;
        border-radius: 2px;
        background: linear-gradient(var(--tone) 0 0) 0 / var(--level) 100% no-repeat var(--raised);
      }
      .agent {
        --tone: var(--agent-fill);
      }
      .customer {
        --tone: var(--customer-fill);
      }
      .trouble {
        color: var(--warn);
        font-size: 0.87rem;
      }
    `,
  ];

  override render() {
    const here = this.listening.callId === this.callId;
    const phase = here ? this.listening.phase : "off";
    const on = phase !== "off";
    return html`${here && this.listening.trouble
        ? html`<span class="trouble" role="status">${this.listening.trouble}</span>`
        : nothing}
      ${phase === "on" ? this.meters() : nothing}
      <button class=${on ? "on" : ""} aria-pressed=${on ? "true" : "false"} @click=${() => this.toggle(on)}>
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <path d="M2.5 10V8a5.5 5.5 0 0 1 11 0v2M2.5 10.2v1.6M4.8 9.6v3M13.5 10.2v1.6M11.2 9.6v3" />
        </svg>
        ${phase === "off" ? "Listen in" : phase === "asked" ? "Connecting…" : "Listening"}
      </button>`;
  }

  private meters() {
    const width = (level: number): string => `--level: ${Math.min(100, Math.round(Math.sqrt(level) * 180))}%`;
    const { levels } = this;
    const mixed = levels?.mixed ?? 0;
    return html`<span class="meters" aria-hidden="true">
      <span class="agent" .style=${width(Math.max(levels?.agent ?? 0, mixed))}></span>
      <span class="customer" .style=${width(Math.max(levels?.customer ?? 0, mixed))}></span>
    </span>`;
  }

  private toggle(on: boolean): void {
    this.dispatchEvent(new CustomEvent(on ? "unlisten" : "listen", { bubbles: true, composed: true }));
  }
}
