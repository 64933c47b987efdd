/** The palette, and styles that several parts share. Colours keep 4.5:1 on their grounds in both schemes. */

import { css } from "lit";

/** For the roots: the console's page and the embedded call. Everything below inherits it. */
export const palette = css`
  :host {
    --canvas: light-dark(#f5f6f8, #12151b);
    --surface: light-dark(#ffffff, #1a1e26);
    --raised: light-dark(#eef0f4, #232833);
    --ink: light-dark(#1c2230, #e7eaf1);
    --soft: light-dark(#586174, #9fa9bb);
    --line: light-dark(#e1e4ea, #2c323e);
    --edge: light-dark(#868e9d, #6d7789);
    --agent: light-dark(#3d54b8, #a3b4ff);
    --agent-tint: light-dark(#e9edfb, #252e4d);
    --agent-fill: light-dark(#6f85e0, #7389e8);
    --customer: light-dark(#0a6b60, #70d1c3);
    --customer-tint: light-dark(#e0f2ef, #173532);
    --customer-fill: light-dark(#2fa192, #3fae9f);
    --good: light-dark(#1a7544, #74d49a);
    --good-tint: light-dark(#e4f4ea, #17342450);
    --warn: light-dark(#875200, #efbe70);
    --warn-tint: light-dark(#fcf0da, #382b15);
    --warn-fill: light-dark(#e0a030, #d9a04a);
    --bad: light-dark(#ad2a22, #ff9f96);
    --bad-tint: light-dark(#fbe9e7, #40211f);
    --shadow: 0 1px 2px light-dark(rgb(20 30 60 / 7%), rgb(0 0 0 / 40%));
    color: var(--ink);
    font: 15px/1.5 Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
    font-feature-settings: "cv05", "ss03";
  }
`;

export const shared = css`
  :host {
    display: block;
    box-sizing: border-box;
  }
  :host([hidden]),
  [hidden] {
    display: none !important;
  }
  *,
  *::before,
  *::after {
    box-sizing: inherit;
    scrollbar-color: var(--line) transparent;
    scrollbar-width: thin;
  }
  h1,
  h2,
  h3,
  p,
  ul,
  ol,
  dl,
  dd {
    margin: 0;
    padding: 0;
  }
  ul,
  ol {
    list-style: none;
  }
  h1 {
    font-size: 1.2rem;
    font-weight: 650;
    letter-spacing: -0.01em;
    line-height: 1.3;
  }
  h2 {
    color: var(--soft);
    font-size: 0.8rem;
    font-weight: 600;
    letter-spacing: 0.01em;
  }
  h3 {
    font-size: 0.95rem;
    font-weight: 600;
    line-height: 1.4;
  }
  button,
  select,
  input[type="search"] {
    min-height: 2rem;
    padding: 0.25rem 0.8rem;
    border: 1px solid var(--edge);
    border-radius: 7px;
    background: var(--surface);
    color: var(--ink);
    font: inherit;
    font-size: 0.87rem;
  }
  button {
    font-weight: 550;
    cursor: pointer;
  }
  button:hover:not(:disabled) {
    background: var(--raised);
  }
  button:disabled {
    cursor: default;
    opacity: 0.55;
  }
  button.main {
    border-color: var(--agent);
    background: var(--agent);
    color: light-dark(#fff, #12151b);
  }
  button.main:hover:not(:disabled) {
    background: color-mix(in srgb, var(--agent) 88%, var(--ink));
  }
  button.plain {
    padding-inline: 0.4rem;
    border-color: transparent;
    background: none;
    color: var(--soft);
  }
  :focus-visible {
    outline: 2px solid var(--agent);
    outline-offset: 2px;
  }
  h1:focus-visible {
    outline: none;
  }
  a {
    color: var(--agent);
    text-underline-offset: 0.15em;
  }
  .figure,
  time {
    font-variant-numeric: tabular-nums;
  }
  .chip {
    display: inline-block;
    padding: 0.05rem 0.55rem;
    border-radius: 99px;
    background: var(--raised);
    color: var(--soft);
    font-size: 0.8rem;
    font-weight: 600;
    white-space: nowrap;
  }
  .chip.answered,
  .chip.resolved {
    background: var(--customer-tint);
    color: var(--customer);
  }
  .chip.held,
  .chip.parked,
  .chip.ringing,
  .chip.follow_up,
  .chip.warning {
    background: var(--warn-tint);
    color: var(--warn);
  }
  .chip.unresolved,
  .chip.critical {
    background: var(--bad-tint);
    color: var(--bad);
  }
  .negative {
    color: var(--bad);
  }
  .positive {
    color: var(--good);
  }
  .unseen {
    position: absolute;
    top: 0;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  .empty {
    max-width: 26rem;
    color: var(--soft);
    font-size: 0.9rem;
  }
`;
