import { LitElement, css, html, nothing, svg } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { alertTitle } from "./alert-list.js";
import { alertsOf, checklistOf, coverage, customerSentiment, moodCourse, talkShare } from "./figures.js";
import { addressOf } from "./route.js";
import { type Call, durationMs } from "./store.js";
import { shared } from "./styles.js";
import { agentName, clock, mood, words } from "./text.js";
import { type Order, arranged } from "./wall-order.js";
import "./talk-share.js";

const ORDERS: readonly (readonly [Order, string])[] = [
  ["urgent", "Who needs help first"],
  ["longest", "Longest first"],
  ["agent", "By agent"],
];
const MOOD_POINTS = 16;

/** All live calls that the viewer may see, one tile each. */
@customElement("earshot-wall")
export class WallView extends LitElement {
  @property({ attribute: false }) calls: readonly Call[] = [];
  @property({ type: Number }) now = 0;
  @property({ type: Boolean }) connected = false;
  @state() private order: Order = "urgent";
  @state() private sought = "";

  static override styles = [
    shared,
    css`
      :host {
        overflow-y: auto;
        padding: 1.25rem;
      }
      header {
        display: flex;
        flex-wrap: wrap;
        gap: 0.6rem 1.5rem;
        align-items: end;
        margin-bottom: 1.1rem;
      }
      .sums {
        min-height: 1.4rem;
        color: var(--soft);
        font-size: 0.9rem;
      }
      .tools {
        display: flex;
        flex-wrap: wrap;
        gap: 0.6rem;
        margin-inline-start: auto;
      }
      .tools label {
        color: var(--soft);
        font-size: 0.8rem;
      }
      .tools :is(select, input) {
        display: block;
        margin-top: 0.1rem;
      }
      ul {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(min(17.5rem, 100%), 1fr));
        gap: 0.9rem;
      }
      li {
        position: relative;
        display: grid;
        gap: 0.5rem;
        padding: 0.9rem 1rem;
        border: 1px solid var(--line);
        border-radius: 11px;
        background: var(--surface);
        box-shadow: var(--shadow);
      }
      li:hover {
        border-color: var(--edge);
      }
      li.warning {
        border-color: var(--warn-fill);
      }
      li.critical {
        border-color: var(--bad);
      }
      .top,
      .middle,
      .bottom {
        display: flex;
        gap: 0.6rem;
        align-items: center;
      }
      .bottom {
        justify-content: space-between;
        color: var(--soft);
        font-size: 0.8rem;
      }
      h2 {
        flex: 1;
        overflow: hidden;
        color: var(--ink);
        font-size: 0.98rem;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      h2 a {
        color: inherit;
        text-decoration: none;
      }
      h2 a::after {
        position: absolute;
        inset: 0;
        border-radius: 11px;
        content: "";
      }
      h2 a:focus-visible {
        outline: none;
      }
      h2 a:focus-visible::after {
        outline: 2px solid var(--agent);
        outline-offset: 2px;
      }
      .duration {
        font-size: 1.05rem;
      }
      .middle {
        height: 2rem;
        color: var(--soft);
        font-size: 0.87rem;
      }
      .middle svg {
        flex: 1;
        min-width: 0;
        height: 2rem;
      }
      .mood {
        flex: none;
        min-width: 4.2rem;
      }
      .zero {
        stroke: var(--line);
        stroke-dasharray: 3 3;
        vector-effect: non-scaling-stroke;
      }
      .line {
        fill: none;
        stroke: var(--customer);
        stroke-width: 1.75;
        stroke-linejoin: round;
        vector-effect: non-scaling-stroke;
      }
      .alert {
        overflow: hidden;
        min-height: 1.3rem;
        color: var(--soft);
        font-size: 0.87rem;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .alert.warning {
        color: var(--warn);
        font-weight: 600;
      }
      .alert.critical {
        color: var(--bad);
        font-weight: 600;
      }
      .lacking {
        color: var(--warn);
      }
      .none {
        padding: 12vh 1rem;
        text-align: center;
      }
      .none .empty {
        margin: 0.4rem auto 0;
      }
    `,
  ];

  override render() {
    const shown = arranged(this.calls, this.order, this.sought);
    return html`
      <header>
        <div>
          <h1 tabindex="-1">Live calls</h1>
          <p class="sums">${this.sums()}</p>
        </div>
        <div class="tools">
          <label
            >Find an agent
            <input
              type="search"
              .value=${this.sought}
              @input=${(event: Event) => (this.sought = (event.target as HTMLInputElement).value)}
          /></label>
          <label
            >Order
            <select @change=${(event: Event) => (this.order = (event.target as HTMLSelectElement).value as Order)}>
              ${ORDERS.map(([order, text]) => html`<option value=${order} ?selected=${order === this.order}>${text}</option>`)}
            </select></label
          >
        </div>
      </header>
      ${shown.length
        ? html`<ul>
            ${repeat(
              shown,
              (call) => call.callId,
              (call) => this.tile(call),
            )}
          </ul>`
        : this.none()}
    `;
  }

  private none() {
    const [title, more] = !this.connected
      ? ["Connecting…", "The calls appear as soon as the gateway answers."]
      : this.calls.length
        ? ["Nobody by that name", "No live call is of an agent by that name."]
        : ["No call right now", "A call appears here by itself as soon as it begins."];
    return html`<div class="none"><h2>${title}</h2><p class="empty">${more}</p></div>`;
  }

  private sums(): string {
    const { calls } = this;
    if (!calls.length) return "";
    const count = (test: (call: Call) => boolean): number => calls.filter(test).length;
    const parts = [`${calls.length} ${calls.length === 1 ? "call" : "calls"}`];
    const alerting = count((call) => alertsOf(call).some((alert) => alert.severity !== "info"));
    const unhappy = count((call) => (customerSentiment(call) ?? 0) <= -0.25);
    const unheard = count((call) => !coverage(call).good);
    if (alerting) parts.push(`${alerting} with alerts`);
    if (unhappy) parts.push(`${unhappy} with an unhappy customer`);
    if (unheard) parts.push(`${unheard} not heard`);
    return parts.join(" · ");
  }

  private tile(call: Call) {
    const [gravest] = alertsOf(call);
    const duration = durationMs(call, this.now);
    const heard = coverage(call);
    const steps = checklistOf(call);
    return html`<li class=${gravest?.severity ?? ""} data-call=${call.callId}>
      <div class="top">
        <h2><a href=${addressOf({ page: "call", callId: call.callId })}>${agentName(call)}</a></h2>
        ${call.state && call.state.status !== "answered"
          ? html`<span class="chip ${call.state.status}">${words(call.state.status)}</span>`
          : nothing}
        <span class="duration figure">${duration === null ? "–" : clock(duration)}</span>
      </div>
      ${this.mood(call)}
      <p class="alert ${gravest?.severity ?? ""}">${this.alert(call)}</p>
      <earshot-talk-share slim .share=${talkShare(call)}></earshot-talk-share>
      <p class="bottom">
        <span class=${heard.good ? "" : "lacking"}>${heard.text}</span>
        ${steps.length
          ? html`<span class="figure">Steps ${steps.filter((step) => step.status === "done").length}/${steps.length}</span>`
          : nothing}
      </p>
    </li>`;
  }

  private alert(call: Call): string {
    const [gravest, ...others] = alertsOf(call);
    if (!gravest) return "No alerts";
    return others.length ? `${alertTitle(gravest)} and ${others.length} more` : alertTitle(gravest);
  }

  private mood(call: Call) {
    const points = moodCourse(call, "customer").slice(-MOOD_POINTS);
    const newest = points.at(-1);
    const y = (value: number): number => Math.round((1 - Math.max(-1, Math.min(1, value))) * 14 + 2);
    const line = points.map(({ value }, index) => `${(index * 100) / (MOOD_POINTS - 1)},${y(value)}`).join(" ");
    const last = ((points.length - 1) * 100) / (MOOD_POINTS - 1);
    return html`<div class="middle">
      <span class="mood ${newest ? mood(newest.value) : ""}"
        ><span class="unseen">Customer sounds </span>${newest ? words(mood(newest.value)) : "No mood yet"}</span
      >
      <svg viewBox="0 0 100 32" preserveAspectRatio="none" aria-hidden="true">
        <line class="zero" x1="0" x2="100" y1="16" y2="16"></line>
        ${newest
          ? svg`<polyline class="line" points=${points.length > 1 ? line : `0,16 ${last + 4},${y(newest.value)}`}></polyline>`
          : nothing}
      </svg>
    </div>`;
  }
}
