import { LitElement, css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import { dynamicsOf } from "./figures.js";
import type { Call } from "./store.js";
import { shared } from "./styles.js";
import { clock } from "./text.js";

/** The figures of how the two talk; each keeps its place, a dash stands for what is not known yet. */
@customElement("earshot-facts")
export class CallFacts extends LitElement {
  @property({ attribute: false }) call!: Call;

  static override styles = [
    shared,
    css`
      dl {
        display: flex;
        flex-wrap: wrap;
        gap: 0.2rem 1.6rem;
        font-size: 0.8rem;
      }
      dl div {
        display: flex;
        gap: 0.4rem;
        white-space: nowrap;
      }
      dt {
        color: var(--soft);
      }
      dd {
        font-weight: 550;
      }
    `,
  ];

  override render() {
    const told = dynamicsOf(this.call);
    const time = (ms: number | undefined): string => (ms === undefined ? "–" : clock(ms));
    const pair = (agent: number | undefined, customer: number | undefined): string =>
      agent === undefined && customer === undefined ? "–" : `${Math.round(agent ?? 0)} / ${Math.round(customer ?? 0)}`;
    return html`<dl>
      ${this.fact("On hold", time(told?.hold_ms))} ${this.fact("Silence", time(told?.silence_ms))}
      ${this.fact("Both at once", time(told?.overtalk_ms))}
      ${this.fact("Interruptions, agent / customer", pair(told?.agent_interruptions, told?.customer_interruptions))}
      ${this.fact("Words a minute", pair(told?.agent_words_per_minute, told?.customer_words_per_minute))}
    </dl>`;
  }

  private fact(name: string, value: string) {
    return html`<div><dt>${name}</dt><dd class="figure">${value}</dd></div>`;
  }
}
