import { LitElement, css, html } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { shared } from "./styles.js";
import { clock, spoken } from "./text.js";

const SPEEDS = [1, 1.25, 1.5, 2] as const;

/** Plays a recording; fires `moment` with where it is, ms, many times a second while it plays. */
@customElement("earshot-player")
export class RecordingPlayer extends LitElement {
  @property() src = "";
  @property({ type: Number }) durationMs = 0;
  @state() private atMs = 0;
  @state() private playing = false;
  @state() private speed = 1;
  @state() private broken = false;
  @query("audio") private audio!: HTMLAudioElement;
  private frame = 0;

  static override styles = [
    shared,
    css`
      .row {
        display: grid;
        grid-template-columns: 5.5rem minmax(0, 1fr) auto;
        column-gap: 1rem;
        align-items: center;
      }
      button {
        width: 5.5rem;
      }
      input {
        width: 100%;
        margin: 0;
        accent-color: var(--agent);
      }
      .end {
        display: flex;
        gap: 0.7rem;
        align-items: center;
        color: var(--soft);
        font-size: 0.87rem;
      }
      .broken {
        color: var(--warn);
        font-size: 0.9rem;
      }
      @media (max-width: 600px) {
        .row {
          grid-template-columns: auto minmax(0, 1fr);
          gap: 0.5rem 0.8rem;
        }
        .end {
          grid-column: 1 / -1;
        }
      }
    `,
  ];

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    cancelAnimationFrame(this.frame);
  }

  /** Go to a moment, and play from there. */
  playFrom(atMs: number): void {
    this.goTo(atMs);
    void this.audio.play();
  }

  goTo(atMs: number): void {
    this.audio.currentTime = atMs / 1000;
    this.tell(atMs);
  }

  override render() {
    return html`<audio
        src=${this.src}
        preload="metadata"
        @play=${this.begun}
        @pause=${() => (this.playing = false)}
        @ended=${() => (this.playing = false)}
        @error=${() => (this.broken = true)}
      ></audio>
      ${this.broken
        ? html`<p class="broken" role="alert">The recording could not be played: it may be gone by now.</p>`
        : html`<div class="row">
            <button class="main" @click=${this.toggle}>${this.playing ? "Pause" : "Play"}</button>
            <input
              type="range"
              min="0"
              max=${this.durationMs}
              step="100"
              aria-label="Position in the recording"
              aria-valuetext="${spoken(this.atMs)} of ${spoken(this.durationMs)}"
              .value=${String(this.atMs)}
              @input=${(event: Event) => this.goTo(Number((event.target as HTMLInputElement).value))}
            />
            <div class="end">
              <span class="figure">${clock(this.atMs)} / ${clock(this.durationMs)}</span>
              <select aria-label="Speed" @change=${this.chooseSpeed}>
                ${SPEEDS.map((speed) => html`<option value=${speed} ?selected=${speed === this.speed}>${speed} ×</option>`)}
              </select>
            </div>
          </div>`}`;
  }

  private toggle(): void {
    if (this.playing) this.audio.pause();
    else void this.audio.play();
  }

  private chooseSpeed(event: Event): void {
    this.speed = Number((event.target as HTMLSelectElement).value);
    this.audio.playbackRate = this.speed;
  }

  private begun(): void {
    this.playing = true;
    const follow = (): void => {
      this.tell(Math.round(this.audio.currentTime * 1000));
      if (this.playing && this.isConnected) this.frame = requestAnimationFrame(follow);
    };
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(follow);
  }

  private tell(atMs: number): void {
    this.atMs = atMs;
    this.dispatchEvent(new CustomEvent("moment", { detail: atMs }));
  }
}
