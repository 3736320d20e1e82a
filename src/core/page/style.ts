/** The colours of a page; each text is legible on what it stands on, at 4.5:1 or better. */
export interface Palette {
  readonly page: string;
  readonly text: string;
  /** Numbers, remarks. */
  readonly faint: string;
  readonly panel: string;
  readonly line: string;
  readonly link: string;
  readonly added: string;
  readonly addedWords: string;
  readonly removed: string;
  readonly removedWords: string;
  readonly warning: string;
}

export const light: Palette = {
  page: '#ffffff',
  text: '#1c1f23',
  faint: '#4d545c',
  panel: '#f3f4f6',
  line: '#c9ced4',
  link: '#0b57b0',
  added: '#e2f6e6',
  addedWords: '#a9e5b6',
  removed: '#fdeaea',
  removedWords: '#f8bfbf',
  warning: '#fff3cd',
};

export const dark: Palette = {
  page: '#14171b',
  text: '#e4e7ea',
  faint: '#a9b1ba',
  panel: '#1e2328',
  line: '#434b54',
  link: '#86b8f7',
  added: '#14301c',
  addedWords: '#22592f',
  removed: '#3a1a1c',
  removedWords: '#74292d',
  warning: '#3a3113',
};

function variables(palette: Palette): string {
  return Object.entries(palette)
    .map(([name, colour]) => `--${name}:${colour}`)
    .join(';');
}

/**
 * The style sheet. What people choose is in radio buttons, which it reads: no script is needed.
 *
 * Where there are many changes, lines far from what is in the window are not laid out, so that the page opens at once; headings
 * are, because screen readers list only what is.
 */
export const styleSheet = `
:root{color-scheme:light;${variables(light)}}
@media (prefers-color-scheme:dark){:root{color-scheme:dark;${variables(dark)}}}
:root:has(#light:checked){color-scheme:light;${variables(light)}}
:root:has(#dark:checked){color-scheme:dark;${variables(dark)}}
*{box-sizing:border-box}
body{margin:0;padding:0 1rem 4rem;background:var(--page);color:var(--text);font:1rem/1.5 system-ui,sans-serif}
code,.d,h3,nav a{font-family:ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;font-size:.875rem}
code,h3,nav a{overflow-wrap:anywhere;white-space:pre-wrap;unicode-bidi:isolate}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:.5rem;padding:.25rem .75rem;background:var(--page);z-index:1}
header,main,nav{max-width:110rem;margin:0 auto}
h1{font-size:1.5rem;margin:1.25rem 0 .5rem;line-height:1.25}
h2{font-size:1.2rem;margin:1.75rem 0 .5rem;border-bottom:1px solid var(--line)}
h3{font-size:.9375rem;font-weight:600;margin:0;display:flex;flex-wrap:wrap;gap:.25rem .75rem;align-items:baseline}
.s{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.1rem 1rem;margin:.5rem 0}
.s dt{color:var(--faint)}
.s dd{margin:0;overflow-wrap:anywhere}
.o{display:flex;flex-wrap:wrap;gap:.5rem 2rem;margin:1rem 0}
.o fieldset{border:1px solid var(--line);border-radius:.4rem;margin:0;padding:.1rem .75rem .35rem;display:flex;flex-wrap:wrap;gap:.25rem 1rem}
.o label{display:inline-flex;gap:.35rem;align-items:center;min-height:1.75rem}
ul{margin:.25rem 0;padding-left:1.25rem}
nav ul{list-style:none;padding-left:1rem}
nav>ul{padding-left:0}
nav li{line-height:1.6}
summary{cursor:pointer}
.b,.k{font-family:system-ui,sans-serif}
.b{border:1px solid var(--line);border-radius:.3rem;padding:0 .4rem;font-size:.8rem;font-weight:400;white-space:nowrap}
.b.A{background:var(--added)}
.b.D{background:var(--removed)}
.b.T{background:var(--warning)}
.k,.n,.h{color:var(--faint);font-size:.875rem;font-weight:400;white-space:nowrap}
.n,.h{white-space:normal;margin:0;padding:.15rem .75rem}
.x>.n{padding:0}
.x>details{margin-top:.35rem}
.w{white-space:pre-wrap;background:var(--warning);border-left:4px solid var(--line);padding:.35rem .75rem .35rem 1.75rem}
.f{border:1px solid var(--line);border-radius:.4rem;margin:1rem 0;padding:.6rem .75rem}
.f:target{border-color:var(--link)}
.m{margin:.25rem 0;font-size:.875rem}
mark{background:var(--warning);color:inherit}
.d{border:1px solid var(--line);margin:.35rem 0;overflow:hidden;line-height:1.45;tab-size:8}
.many .x{content-visibility:auto;contain-intrinsic-size:auto 16rem}
.h{background:var(--panel)}
.d span,.d del,.d ins{display:block;position:relative;min-height:1.45em;padding-left:15ch;text-decoration:none;white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate}
.d del{background:var(--removed)}
.d ins{background:var(--added)}
.d del mark{background:var(--removedWords)}
.d ins mark{background:var(--addedWords)}
.d span::before,.d del::before,.d ins::before{position:absolute;left:0;width:11ch;color:var(--faint);white-space:pre}
.d span::before{content:attr(data-o) " " attr(data-n);content:attr(data-o) " " attr(data-n) / ""}
.d del::before{content:attr(data-o);content:attr(data-o) / ""}
.d ins::before{content:attr(data-n);content:attr(data-n) / "";text-align:right}
.d del::after,.d ins::after{position:absolute;left:12.5ch;top:0}
.d del::after{content:"-";content:"-" / "removed"}
.d ins::after{content:"+";content:"+" / "added"}
:root:has(#side:checked) .d :is(span,del,ins){padding-left:8ch}
:root:has(#side:checked) .e{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);grid-auto-flow:dense}
:root:has(#side:checked) .d del{grid-column:1}
:root:has(#side:checked) .d ins{grid-column:2}
:root:has(#side:checked) .d ::before{width:5ch}
:root:has(#side:checked) .d :is(del,ins)::after{left:6ch}
:root:has(#side:checked) .d span{display:grid;grid-template-columns:minmax(0,1fr) calc(50% + 4ch)}
:root:has(#side:checked) .d span::before{content:attr(data-o);content:attr(data-o) / ""}
:root:has(#side:checked) .d span::after{content:attr(data-n) "   " attr(data-t);content:attr(data-n) "   " attr(data-t) / "";padding-left:8ch;text-indent:-8ch}
:root:has(#side:checked) .d ins,:root:has(#side:checked) .d span::after{border-left:1px solid var(--line)}
@media (min-width:70rem){
.p{display:grid;grid-template-columns:minmax(16rem,24rem) minmax(0,1fr);gap:2rem;align-items:start;max-width:110rem;margin:0 auto}
.p nav,.p main{margin:0;min-width:0}
.p nav{position:sticky;top:0;max-height:100vh;overflow:auto;padding-bottom:1rem}
}
@media (max-width:40rem){
body{padding:0 .5rem 3rem}
.f{padding:.5rem}
.d{font-size:.8rem}
.s{grid-template-columns:minmax(0,1fr)}
.s dt{margin-top:.35rem}
}
@media print{
.o,.skip{display:none}
.p{display:block}
.p nav{position:static;max-height:none}
.many .x{content-visibility:visible}
}
`;
