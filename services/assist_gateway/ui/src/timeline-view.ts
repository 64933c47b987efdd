import { LitElement, css, html, nothing, svg } from "lit";
import { customElement, property } from "lit/decorators.js";
import { alertsOf, mediaEndMs, moodCourse, spansOf } from "./figures.js";
import { horizonMs } from "./horizon.js";
import { type Call, isLive } from "./store.js";
import { shared } from "./styles.js";
import { clock, mood, spoken } from "./text.js";

const WIDTH = 1000;
const LANE = 14;
const MOOD_TOP = 40;
const MOOD_HEIGHT = 28;
const HEIGHT = MOOD_TOP + MOOD_HEIGHT;
/** The call on its media clock: who spoke when, holds, both at once, how the customer felt, alerts. */
@customElement("earshot-timeline")
export class TimelineView extends LitElement {
  @property({ attribute: false }) call!: Call;
  /** Where the recording is; null for none. A click then fires `seek` with a moment. */
  @property({ attribute: false }) atMs: number | null = null;

  static override styles = [
    shared,
    css`
      .grid {
        display: grid;
        grid-template-columns: 5.5rem minmax(0, 1fr);
        column-gap: 1rem;
        color: var(--soft);
        font-size: 0.75rem;
        line-height: 16px;
      }
      .names {
        display: grid;
        grid-template-rows: 16px 16px 10px 28px;
        text-align: end;
      }
      .names :last-child {
        align-self: center;
        grid-row: 4;
      }
      svg {
        display: block;
        width: 100%;
        height: 68px;
        overflow: visible;
      }
      .seekable {
        cursor: pointer;
      }
      .lane {
        fill: var(--raised);
      }
      .agent {
        fill: var(--agent-fill);
      }
      .customer {
        fill: var(--customer-fill);
      }
      .mixed,
      .unknown {
        fill: var(--edge);
      }
      .hold {
        fill: var(--warn-tint);
        stroke: var(--warn-fill);
        stroke-width: 1;
        vector-effect: non-scaling-stroke;
      }
      .silence {
        fill: var(--line);
      }
      .overtalk {
        fill: var(--bad);
      }
      .zero {
        stroke: var(--line);
        stroke-dasharray: 3 3;
        vector-effect: non-scaling-stroke;
      }
      .course {
        fill: none;
        stroke: var(--customer);
        stroke-width: 1.75;
        stroke-linejoin: round;
        vector-effect: non-scaling-stroke;
      }
      .head {
        stroke: var(--ink);
        stroke-width: 1.5;
        vector-effect: non-scaling-stroke;
      }
      .alert {
        fill: var(--warn-fill);
      }
      .alert.critical {
        fill: var(--bad);
      }
      .scale {
        display: flex;
        grid-column: 2;
        justify-content: space-between;
        margin-top: 0.2rem;
      }
      .key {
        display: flex;
        flex-wrap: wrap;
        gap: 0.1rem 1rem;
        grid-column: 2;
        min-height: 1.1rem;
        margin-top: 0.15rem;
      }
      .key span::before {
        display: inline-block;
        width: 0.6rem;
        height: 0.6rem;
        margin-inline-end: 0.35rem;
        border-radius: 2px;
        background: var(--swatch);
        content: "";
      }
      .key .of-hold {
        --swatch: var(--warn-fill);
      }
      .key .of-overtalk {
        --swatch: var(--bad);
      }
      .key .of-silence {
        --swatch: var(--edge);
      }
      @container (max-width: 36rem) {
        .grid {
          grid-template-columns: 4rem minmax(0, 1fr);
          column-gap: 0.6rem;
        }
      }
    `,
  ];

  override render() {
    const { call } = this;
    const end = horizonMs(mediaEndMs(call), isLive(call));
    const x = (ms: number): number => Math.round((ms / end) * WIDTH * 10) / 10;
    return html`<div class="grid">
      <div class="names" aria-hidden="true"><span>Agent</span><span>Customer</span><span>Mood</span></div>
      <svg
        class=${this.atMs === null ? "" : "seekable"}
        viewBox="0 0 ${WIDTH} ${HEIGHT}"
        preserveAspectRatio="none"
        role="img"
        aria-label=${this.inWords()}
        @click=${(event: MouseEvent) => this.clicked(event, end)}
      >
        <rect class="lane" width=${WIDTH} height=${LANE} rx="2"></rect>
        <rect class="lane" y="16" width=${WIDTH} height=${LANE} rx="2"></rect>
        ${this.spans(x)} ${this.talk(x)} ${this.overtalk(x)}
        <line class="zero" x1="0" x2=${WIDTH} y1=${MOOD_TOP + MOOD_HEIGHT / 2} y2=${MOOD_TOP + MOOD_HEIGHT / 2}></line>
        ${this.course(x)} ${this.alerts(x)}
        ${this.atMs === null
          ? nothing
          : svg`<line class="head" x1=${x(this.atMs)} x2=${x(this.atMs)} y1="-3" y2=${HEIGHT}></line>`}
      </svg>
      <div class="scale figure" aria-hidden="true"><span>0:00</span><span>${clock(end)}</span></div>
      ${this.key()}
    </div>`;
  }

  private talk(x: (ms: number) => number) {
    return [...this.call.utterances.values()].map((said) => {
      const whole = said.role !== "agent" && said.role !== "customer";
      const y = said.role === "customer" ? 16 : 0;
      const width = Math.max(1, x(said.end_ms) - x(said.start_ms));
      return svg`<rect class=${said.role} x=${x(said.start_ms)} y=${y + 3} width=${width}
        height=${whole ? 24 : LANE - 6} rx="1.5"></rect>`;
    });
  }

  private spans(x: (ms: number) => number) {
    return spansOf(this.call)
      .filter((span) => span.kind !== "overtalk")
      .map(
        (span) =>
          svg`<rect class=${span.kind} x=${x(span.start_ms)} y="0" width=${Math.max(1, x(span.end_ms) - x(span.start_ms))}
            height="30"></rect>`,
      );
  }

  private overtalk(x: (ms: number) => number) {
    return spansOf(this.call)
      .filter((span) => span.kind === "overtalk")
      .map(
        (span) =>
          svg`<rect class="overtalk" x=${x(span.start_ms)} y="13.5" width=${Math.max(2, x(span.end_ms) - x(span.start_ms))}
            height="3"></rect>`,
      );
  }

  private course(x: (ms: number) => number) {
    const points = moodCourse(this.call, "customer");
    if (!points.length) return nothing;
    const y = (value: number): number => MOOD_TOP + (MOOD_HEIGHT / 2) * (1 - Math.max(-1, Math.min(1, value)));
    const line = points.map(({ atMs, value }) => `${x(atMs)},${y(value).toFixed(1)}`);
    return svg`<polyline class="course" points="${x(0)},${y(0)} ${line.join(" ")}"></polyline>`;
  }

  private alerts(x: (ms: number) => number) {
    return alertsOf(this.call)
      .filter((alert) => alert.at_ms !== undefined && alert.severity !== "info")
      .map((alert) => {
        const at = x(alert.at_ms ?? 0);
        return svg`<rect class="alert ${alert.severity}" x=${at - 1.5} y="33" width="3" height="6"></rect>`;
      });
  }

  private key() {
    const kinds = new Set(spansOf(this.call).map((span) => span.kind));
    return html`<div class="key" aria-hidden="true">
      ${kinds.has("hold") ? html`<span class="of-hold">On hold</span>` : nothing}
      ${kinds.has("overtalk") ? html`<span class="of-overtalk">Both at once</span>` : nothing}
      ${kinds.has("silence") ? html`<span class="of-silence">Silence</span>` : nothing}
    </div>`;
  }

  private inWords(): string {
    const spans = spansOf(this.call);
    const count = (kind: string): number => spans.filter((span) => span.kind === kind).length;
    const newest = moodCourse(this.call, "customer").at(-1);
    return [
      `Timeline of ${spoken(mediaEndMs(this.call))}`,
      `${count("hold")} holds, ${count("overtalk")} times both at once, ${count("silence")} long silences`,
      newest ? `customer sounds ${mood(newest.value)}` : "",
    ]
      .filter(Boolean)
      .join("; ");
  }

  private clicked(event: MouseEvent, end: number): void {
    if (this.atMs === null) return;
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
    this.dispatchEvent(new CustomEvent("seek", { detail: Math.round(share * end) }));
  }
}
