/** A constructed style sheet, which `style-src 'self'` allows. */
export const style = new CSSStyleSheet();

style.replaceSync(`
:host {
  --_accent: var(--otp-accent, light-dark(#0b6b5d, #74d9c3));
  --_on-accent: var(--otp-on-accent, light-dark(#ffffff, #04241d));
  --_text: var(--otp-text, light-dark(#14201e, #e9f0ee));
  --_muted: var(--otp-muted, light-dark(#52625e, #a3b5b0));
  --_field: var(--otp-field, light-dark(#ffffff, #0f1716));
  --_line: var(--otp-line, light-dark(#84938f, #6b7f7a));
  --_danger: var(--otp-danger, light-dark(#b3261e, #ffb4ab));
  --_radius: var(--otp-radius, 0.75rem);
  display: block;
  inline-size: 24rem;
  max-inline-size: 100%;
  color: var(--_text);
  font: inherit;
  line-height: 1.5;
}

:host([hidden]), [hidden] { display: none !important; }

* { box-sizing: border-box; }

p { margin: 0; }

form, .done { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1.125rem; }

.field { display: grid; grid-template-columns: minmax(0, 1fr); gap: 0.5rem; }

label { font-weight: 600; font-size: 0.9375rem; }

input, select, button { font: inherit; color: inherit; }

.phone { display: flex; gap: 0.5rem; }

.country { position: relative; flex: none; }

.country-shown, .phone input {
  min-height: 3.125rem;
  padding: 0 0.875rem;
  border: 1px solid var(--_line);
  border-radius: var(--_radius);
  background: var(--_field);
}

.country-shown {
  display: flex;
  align-items: center;
  gap: 0.5rem;
  white-space: nowrap;
  font-variant-numeric: tabular-nums;
}

.country-shown::after {
  content: "";
  width: 0.4rem;
  height: 0.4rem;
  margin-top: -0.25rem;
  border: solid var(--_muted);
  border-width: 0 0.125rem 0.125rem 0;
  rotate: 45deg;
}

/* The real control covers its drawn replacement. */
.country-select {
  position: absolute;
  inset: 0;
  width: 100%;
  opacity: 0;
  cursor: pointer;
}

.country-select option { color: CanvasText; background: Canvas; }

.phone input {
  flex: 1;
  min-width: 0;
  font-size: 1.0625rem;
  font-variant-numeric: tabular-nums;
}

.phone input:focus-visible, .country-select:focus-visible, .country:has(:focus-visible) .country-shown {
  outline: 2px solid var(--_accent);
  outline-offset: 1px;
  border-color: var(--_accent);
}

[aria-invalid="true"] { border-color: var(--_danger) !important; }

.hint, .sent, .newest { color: var(--_muted); font-size: 0.9375rem; }

.hint { font-size: 0.875rem; font-variant-numeric: tabular-nums; }

.sent { overflow-wrap: anywhere; }

.newest { color: var(--_text); font-weight: 600; }

.error { color: var(--_danger); font-size: 0.9375rem; font-weight: 500; }

.about { display: grid; justify-items: start; }

/* One input over drawn cells: each digit is as wide as a cell and its gap. */
.code {
  --gap: 0.5rem;
  --pitch: calc((100cqi + var(--gap)) / var(--length));
  position: relative;
  container-type: inline-size;
  width: 100%;
  max-width: calc(var(--length) * 3.75rem);
  height: 3.75rem;
  overflow: clip;
  overflow-clip-margin: 4px;
  direction: ltr;
}

.cells { position: absolute; inset: 0; display: flex; gap: var(--gap); }

.cell {
  flex: 1;
  min-width: 0;
  border: 1px solid var(--_line);
  border-radius: var(--_radius);
  background: var(--_field);
  transition: border-color 0.15s, box-shadow 0.15s;
}

.cell.filled { border-color: var(--_accent); }

.code:focus-within .cell.next { border-color: var(--_accent); box-shadow: 0 0 0 1px var(--_accent); }

.code:focus-within .cell.selected { background: color-mix(in srgb, var(--_accent) 14%, var(--_field)); }

.code.invalid .cell { border-color: var(--_danger); }

.code.invalid:focus-within .cell.next { border-color: var(--_danger); box-shadow: 0 0 0 1px var(--_danger); }

.code.invalid:focus-within .cell.selected { background: color-mix(in srgb, var(--_danger) 10%, var(--_field)); }

.code-input {
  --pitch: calc((100cqi + 0.5rem) / var(--length));
  position: absolute;
  inset: 0;
  width: calc(100cqi + var(--pitch));
  height: 100%;
  margin: 0;
  padding: 0 0 0 calc((var(--pitch) - 0.5rem - 1ch) / 2);
  border: 0;
  outline: 0;
  background: none;
  font-size: 1.5rem;
  font-weight: 600;
  font-variant-numeric: tabular-nums;
  letter-spacing: calc(var(--pitch) - 1ch);
  caret-color: var(--_accent);
}

/* The cells show the selection. */
.code-input::selection { background: transparent; color: inherit; }

.code-input:disabled { color: var(--_muted); }

.code:has(:disabled) .cell { background: none; border-color: color-mix(in srgb, var(--_line) 50%, transparent); }

.primary {
  display: flex;
  align-items: center;
  justify-content: center;
  gap: 0.625rem;
  min-height: 3.125rem;
  padding: 0.5rem 1.25rem;
  border: 0;
  border-radius: var(--_radius);
  background: var(--_accent);
  color: var(--_on-accent);
  font-weight: 600;
  font-variant-numeric: tabular-nums;
  cursor: pointer;
  transition: filter 0.15s;
}

.primary:hover { filter: brightness(1.08); }

.primary[aria-disabled="true"] {
  background: color-mix(in srgb, var(--_muted) 16%, var(--_field));
  color: var(--_muted);
  filter: none;
  cursor: default;
}

[aria-busy="true"] .primary::after {
  content: "";
  width: 1rem;
  height: 1rem;
  border: 2px solid currentColor;
  border-right-color: transparent;
  border-radius: 50%;
  animation: turn 0.8s linear infinite;
}

@keyframes turn { to { rotate: 1turn; } }

.link {
  justify-self: start;
  min-height: 1.75rem;
  padding: 0;
  border: 0;
  background: none;
  color: var(--_accent);
  font-size: 0.9375rem;
  font-weight: 600;
  font-variant-numeric: tabular-nums;
  text-align: start;
  cursor: pointer;
}

.link:hover { text-decoration: underline; text-underline-offset: 0.2em; }

.link[aria-disabled="true"] { color: var(--_muted); font-weight: 500; text-decoration: none; cursor: default; }

.primary:focus-visible, .link:focus-visible, .done:focus-visible {
  outline: 2px solid var(--_accent);
  outline-offset: 3px;
  border-radius: var(--_radius);
}

.link:focus-visible { border-radius: 0.25rem; }

form > .link { justify-self: center; text-align: center; }

/* ALTCHA's widget defines these itself. */
.challenge {
  --altcha-max-width: none;
  --altcha-border-radius: var(--_radius);
  --altcha-border-color: var(--_line);
  --altcha-checkbox-border-color: var(--_line);
  --altcha-color-base: var(--_field);
  --altcha-color-base-content: var(--_text);
  --altcha-input-background-color: var(--_field);
  --altcha-color-success: var(--_accent);
  --altcha-color-success-content: var(--_on-accent);
  margin-block-start: 1.125rem;
  border-radius: var(--_radius);
}

.challenge:focus-visible { outline: 2px solid var(--_accent); outline-offset: 4px; }

.links { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0.25rem 1.5rem; }

.done { justify-items: center; gap: 0.75rem; padding: 1rem 0; text-align: center; }

.done:focus-visible { outline: 0; }

.verified { font-size: 1.125rem; font-weight: 600; }

.tick {
  display: grid;
  place-items: center;
  width: 4rem;
  height: 4rem;
  border-radius: 50%;
  background: var(--_accent);
  animation: arrive 0.4s cubic-bezier(0.2, 1.6, 0.4, 1);
}

.tick::after {
  content: "";
  width: 0.95rem;
  height: 1.7rem;
  margin-top: -0.35rem;
  border: solid var(--_on-accent);
  border-width: 0 0.25rem 0.25rem 0;
  rotate: 42deg;
}

@keyframes arrive { from { scale: 0.4; opacity: 0; } }

.visually-hidden {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}

@media (prefers-reduced-motion: reduce) {
  * { animation-duration: 0.01ms !important; transition: none !important; }
  [aria-busy="true"] .primary::after { animation: none; }
}

@media (forced-colors: active) {
  .primary, .cell, .tick { border: 1px solid ButtonText; }
  .primary[aria-disabled="true"], .link[aria-disabled="true"] { border-color: GrayText; color: GrayText; }
  .link { color: LinkText; }
  .tick { background: Canvas; }
  .tick::after { border-color: CanvasText; }
  [aria-invalid="true"] { border: 3px double CanvasText !important; }
  .cell.filled { border: 2px solid CanvasText; }
  .code.invalid .cell { border: 3px double CanvasText; }
  .code:has(:disabled) .cell { border: 1px dashed GrayText; }
  .code:focus-within .cell.next, .code:focus-within .cell.selected { outline: 2px solid Highlight; }
  .error { font-weight: 700; }
  /* The backplate under each text would cover the cells' borders. */
  .code-input { forced-color-adjust: none; color: CanvasText; caret-color: CanvasText; }
  .code-input:disabled { color: GrayText; }
}
`);
