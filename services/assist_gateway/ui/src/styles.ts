/** Styles that several parts of the page share. */

import { css } from "lit";

export const shared = css`
  :host {
    display: block;
    box-sizing: border-box;
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
  ol {
    margin: 0;
    padding: 0;
  }
  ul,
  ol {
    list-style: none;
  }
  h2 {
    color: var(--soft);
    font-size: 0.8rem;
    font-weight: 600;
    letter-spacing: 0.02em;
  }
  button {
    padding: 0.3rem 0.8rem;
    border: 1px solid var(--line);
    border-radius: 6px;
    background: var(--surface);
    color: var(--ink);
    font: inherit;
    font-size: 0.87rem;
    cursor: pointer;
  }
  button:hover {
    background: var(--raised);
  }
  :focus-visible {
    outline: 2px solid var(--agent);
    outline-offset: 2px;
  }
  a {
    color: var(--agent);
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
`;
