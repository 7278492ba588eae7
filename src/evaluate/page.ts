import { escapeXml as text } from "./svg.js";

/** Nothing of the page runs, and nothing is fetched: whatever a file has put into it. */
const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** What all pages share: their colours, by day and by night, headings, tables that scroll where a screen is narrow, charts. */
const STYLE = `
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --soft: #666; --rule: #ddd; --head: #999; --grid: #e4e4e4; --blank: #eee; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e4e4; --paper: #16181c; --soft: #a4a4a4; --rule: #383b41; --head: #777; --grid: #2c2f35; --blank: #2c2f35; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1120px; margin: 2em auto; padding: 0 1.2em; overflow-wrap: break-word; }
h1 { font-size: 1.6em; margin-bottom: .1em; } h2 { font-size: 1.2em; margin-top: 2em; } h3 { font-size: 1em; margin: 1.4em 0 .4em; }
p.sub, td small { color: var(--soft); } code { font-size: .9em; overflow-wrap: anywhere; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; } th, td { padding: .3em .8em; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } thead th { border-bottom: 2px solid var(--head); white-space: normal; vertical-align: bottom; }
.charts { display: flex; flex-wrap: wrap; gap: 1.5em; } .charts figure { margin: 0; flex: 1 1 420px; max-width: 540px; min-width: min(100%, 300px); }
figcaption { font-weight: 600; } svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: var(--ink); }
.grid { stroke: var(--grid); } .axis { stroke: var(--soft); } .legend span { display: inline-block; margin-right: 1.2em; font-size: .85em; }
.legend i { display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .4em; }
@media (max-width: 560px) { th, td { padding: .3em .45em; } td small { white-space: normal; } svg[viewBox^="0 0 520"] text { font-size: 15px; } }
`;

/** One page that needs nothing else: styles (`style`: its own), charts (SVG) and pictures (PNG) are in it. Empty sections are left out. */
export function pageHtml(title: string, style: string, sections: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="ncvsd-gpu">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(title)}</title>
<link rel="icon" href="data:,">
<style>${STYLE}${style}</style>
</head>
<body>
${sections.filter((section) => section !== "").join("\n")}
</body>
</html>
`;
}
